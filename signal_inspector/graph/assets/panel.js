// --- one box, and what is around it ---

const choose = (key) => {
  if (chosen !== null && boxes.has(chosen)) {
    boxes.get(chosen).node.classList.remove("chosen");
    boxes.get(chosen).node.setAttribute("aria-pressed", "false");
  }
  const had = panel.contains(document.activeElement);
  chosen = key;
  const near = key === null ? new Set() : boxes.get(key).near;
  const joins = key === null ? new Set() : boxes.get(key).arrows;
  highlight(near, joins, key === null ? new Set() : following(key));
  panel.hidden = key === null;
  if (key === null) {
    focus(null);
    panel.replaceChildren();
    if (had) picture.focus();
    remember("");
    return;
  }
  const { node, its } = boxes.get(key);
  node.classList.add("chosen");
  node.setAttribute("aria-pressed", "true");
  panel.replaceChildren(...describe(key, its));
  panel.scrollTop = 0;
  if (focusing) focus(key);
  else if (!byId("graph").classList.contains("off")) reveal(key);
  remember(its.name);
};
const chooseArrow = (key) => {
  const { node, source, target } = arrows.get(key);
  choose(source);
  highlight(new Set([source, target]), new Set([key]));
  panel.prepend(make("p", "what", node.querySelector("title").textContent));
};
// All that comes of a box, along the arrows.
const following = (key) => {
  const found = new Set([key]);
  for (const each of found) for (const other of ahead.get(each)) found.add(other); // grows meanwhile
  return found;
};
const highlight = (near, joins, follows = new Set()) => {
  picture.classList.toggle("picked", near.size > 0);
  for (const [key, box] of boxes) {
    box.node.classList.toggle("near", near.has(key));
    box.node.classList.toggle("follows", follows.has(key));
  }
  for (const [key, arrow] of arrows) {
    arrow.node.classList.toggle("near", joins.has(key));
    arrow.node.classList.toggle("follows", follows.has(arrow.source));
  }
};
const remember = (name) => {
  try {
    const hash = name ? `#${encodeURIComponent(name)}` : " ";
    history.replaceState(null, "", name ? hash : location.pathname + location.search);
  } catch {
    // some browsers allow no history for files
  }
};

// --- the panel: made of text alone, whatever the names hold ---

const make = (tag, name, ...content) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  node.append(...content);
  return node;
};
const link = (key) => {
  const { its } = boxes.get(key);
  const node = make("button", "link", its.name.slice(0, its.name.length - its.title.length), make("b", "", its.title));
  node.type = "button";
  node.addEventListener("click", () => {
    if (boxes.get(key).node.classList.contains("gone")) clear();
    choose(key);
    panel.querySelector(".close").focus();
  });
  return node;
};
const entry = (its) => {
  const node = make("li", "");
  if (its.order !== undefined) node.append(make("span", "order", its.order === null ? "–" : String(its.order)));
  node.append(link(its.key), ...(its.words ?? []).map((word) => make("span", "badge", word)));
  node.append(...its.lines.map((line) => make("small", "", line)));
  return node;
};
const list = (title, entries, tag = "ul") =>
  entries.length ? [make("h3", "", title), make(tag, "", ...entries.map(entry))] : [];
const kinds = { sender: "Sends", signal: "Signal", receiver: "Receiver" };
const describe = (key, its) => {
  const close = make("button", "close", "×");
  close.type = "button";
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", () => choose(null));
  const parts = [close, make("h2", "", its.title)];
  const alone = make("button", "plain", "Only its neighbors");
  alone.type = "button";
  alone.setAttribute("aria-pressed", String(focusing));
  alone.addEventListener("click", () => {
    focusing = !focusing;
    alone.setAttribute("aria-pressed", String(focusing));
    focus(focusing ? key : null);
    if (!focusing) reveal(key);
  });
  parts.push(make("p", "", its.name));
  const kind = its.shape === "receiver" && its.sends.length ? "Receiver that sends on" : kinds[its.shape];
  parts.push(make("p", "what", [kind, its.app && `app ${its.app}`, its.place].filter(Boolean).join(" · ")));
  parts.push(...its.words.map((word) => make("span", "warn", word)), make("p", "", alone));
  parts.push(...list("Sent by", its.sentBy));
  parts.push(...list("Received by, in this order", its.receivedBy, "ol"));
  parts.push(...list("Receives", its.receives));
  parts.push(...list(its.shape === "receiver" ? "Sends on" : "Sends", its.sends));
  for (const cycle of data.cycles.filter((each) => each.includes(key))) {
    parts.push(make("h3", "", "Cycle"), make("ol", "", ...cycle.map((each) => make("li", "", link(each)))));
  }
  return parts;
};
