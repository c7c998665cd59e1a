
(() => {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const picture = byId("picture");
  const view = byId("view");
  const panel = byId("panel");
  const find = byId("find");
  const whole = { width: Number(picture.dataset.width), height: Number(picture.dataset.height) };

  const boxes = new Map(); // key -> { node, its, frame, near: Set of keys, arrows: Set of keys }
  const arrows = new Map(); // key -> { node, source, target, cyclic }
  let chosen = null;
  let hits = [];
  let hit = -1;

  for (const [key, its] of Object.entries(data.boxes)) {
    const node = byId(key);
    const shape = node.querySelector(".shape");
    const at = /translate\(([-\d.]+) ([-\d.]+)\)/.exec(node.getAttribute("transform"));
    const frame = {
      x: Number(at[1]), y: Number(at[2]),
      width: Number(shape.getAttribute("width")), height: Number(shape.getAttribute("height")),
    };
    boxes.set(key, { node, its, frame, near: new Set([key]), arrows: new Set() });
    node.setAttribute("role", "button");
    node.setAttribute("tabindex", "-1");
    node.setAttribute("aria-pressed", "false");
    node.setAttribute("aria-label", [its.name, its.shape, ...its.words].join(", "));
  }
  for (const [key, [source, target, cyclic]] of Object.entries(data.arrows)) {
    arrows.set(key, { node: byId(key), source, target, cyclic });
    for (const end of [source, target]) {
      boxes.get(end).arrows.add(key);
      boxes.get(end).near.add(source).add(target);
    }
  }

  // --- where the picture stands: x and y of its corner in the window, and its scale ---

  const place = { x: 0, y: 0, scale: 1 };
  const least = () => Math.min(0.05, fitting(whole).scale);
  const most = 3;

  const show = () => {
    view.setAttribute("transform", `translate(${place.x} ${place.y}) scale(${place.scale})`);
    picture.classList.toggle("far", place.scale < 0.4);
  };
  const zoom = (factor, x, y) => {
    const size = picture.getBoundingClientRect();
    const at = { x: x ?? size.width / 2, y: y ?? size.height / 2 };
    const scale = Math.min(Math.max(place.scale * factor, least()), most);
    place.x = at.x - (at.x - place.x) * (scale / place.scale);
    place.y = at.y - (at.y - place.y) * (scale / place.scale);
    place.scale = scale;
    show();
  };
  const move = (x, y) => {
    place.x += x;
    place.y += y;
    show();
  };
  function fitting(frame) {
    const size = picture.getBoundingClientRect();
    const scale = Math.min(size.width / frame.width, size.height / frame.height, 1.15);
    return { size, scale };
  }
  const visible = () => [...boxes.values()].filter((box) => !box.node.classList.contains("gone"));
  const around = (some) => {
    if (!some.length) return { x: 0, y: 0, ...whole };
    const margin = 28;
    const x = Math.min(...some.map((box) => box.frame.x)) - margin;
    const y = Math.min(...some.map((box) => box.frame.y)) - margin;
    const right = Math.max(...some.map((box) => box.frame.x + box.frame.width)) + margin;
    const bottom = Math.max(...some.map((box) => box.frame.y + box.frame.height)) + margin;
    return { x, y, width: right - x, height: bottom - y };
  };
  const fit = () => {
    const some = visible();
    const frame = some.length === boxes.size ? { x: 0, y: 0, ...whole } : around(some);
    const { size, scale } = fitting(frame);
    place.scale = scale;
    place.x = (size.width - frame.width * scale) / 2 - frame.x * scale;
    place.y = (size.height - frame.height * scale) / 2 - frame.y * scale;
    show();
  };
  // Move as little as is needed to have a box in sight, and large enough to be read.
  const reveal = (key) => {
    const { frame } = boxes.get(key);
    const size = picture.getBoundingClientRect();
    if (place.scale < 0.55) {
      place.scale = 0.9;
      place.x = size.width / 2 - (frame.x + frame.width / 2) * place.scale;
      place.y = size.height / 2 - (frame.y + frame.height / 2) * place.scale;
    }
    const left = frame.x * place.scale + place.x;
    const top = frame.y * place.scale + place.y;
    const right = left + frame.width * place.scale;
    const bottom = top + frame.height * place.scale;
    const margin = 40;
    if (left < margin) place.x += margin - left;
    else if (right > size.width - margin) place.x -= right - size.width + margin;
    if (top < margin) place.y += margin - top;
    else if (bottom > size.height - margin) place.y -= bottom - size.height + margin;
    show();
  };

  // --- the mouse, and fingers ---

  const fingers = new Map();
  let travelled = 0;
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, far: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
  };
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    const size = picture.getBoundingClientRect();
    const unit = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1;
    const by = Math.max(-240, Math.min(240, event.deltaY * unit));
    zoom(Math.exp(-by * (event.ctrlKey ? 0.008 : 0.0022)), event.clientX - size.left, event.clientY - size.top);
  }, { passive: false });
  picture.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    if (!fingers.size) travelled = 0;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  picture.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    if (fingers.size === 2) {
      const old = spread();
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      const now = spread();
      const size = picture.getBoundingClientRect();
      travelled += 10;
      move(now.x - old.x, now.y - old.y);
      zoom(now.far / old.far, now.x - size.left, now.y - size.top);
      return;
    }
    travelled += Math.hypot(event.clientX - before.x, event.clientY - before.y);
    if (travelled > 4) {
      // Captured from here on only: a click that is captured does not reach the box below it.
      if (!picture.hasPointerCapture(event.pointerId)) picture.setPointerCapture(event.pointerId);
      picture.classList.add("moving");
      move(event.clientX - before.x, event.clientY - before.y);
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    }
  });
  const release = (event) => {
    fingers.delete(event.pointerId);
    if (!fingers.size) picture.classList.remove("moving");
  };
  picture.addEventListener("pointerup", release);
  picture.addEventListener("pointercancel", release);
  picture.addEventListener("click", (event) => {
    if (travelled > 4) return;
    const box = event.target.closest(".box");
    const arrow = event.target.closest(".arrow");
    if (box) choose(box.dataset.key);
    else if (arrow) chooseArrow(arrow.dataset.key);
    else choose(null);
  });
  picture.addEventListener("dblclick", (event) => {
    if (event.target.closest(".box")) return;
    const size = picture.getBoundingClientRect();
    zoom(1.6, event.clientX - size.left, event.clientY - size.top);
  });

  // --- the keyboard ---

  const step = 60;
  const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  picture.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = document.activeElement.dataset.key;
    if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") fit();
    else if (key && (event.key === "Enter" || event.key === " ")) choose(key);
    else if (key && moves[event.key]) focusBox(beside(key, event.key));
    else if (moves[event.key]) move(...moves[event.key]);
    else if (event.key === "Enter") focusBox(chosen ?? firstKey());
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "Escape" && (chosen !== null || panel.hidden === false)) choose(null);
    else if (event.key === "Escape" && document.activeElement.dataset.key) picture.focus();
    else if (event.key === "/" && !typing) {
      event.preventDefault();
      find.focus();
    }
  });
  const firstKey = () => {
    const some = visible();
    some.sort((a, b) => a.frame.y - b.frame.y || a.frame.x - b.frame.x);
    return some.length ? some[0].node.dataset.key : null;
  };
  const focusBox = (key) => {
    if (key === null) return;
    boxes.get(key).node.focus({ preventScroll: true });
    reveal(key);
  };
  // The nearest box in a direction: along arrows to the left and right, else by place.
  const beside = (key, direction) => {
    const here = boxes.get(key).frame;
    const sideways = direction === "ArrowLeft" || direction === "ArrowRight";
    const sign = direction === "ArrowRight" || direction === "ArrowDown" ? 1 : -1;
    let best = key;
    let least = Infinity;
    for (const [other, box] of boxes) {
      if (other === key || box.node.classList.contains("gone")) continue;
      const x = box.frame.x + box.frame.width / 2 - here.x - here.width / 2;
      const y = box.frame.y - here.y;
      const along = (sideways ? x : y) * sign;
      if (along < 8) continue;
      const joined = sideways && boxes.get(key).near.has(other);
      const far = along + 3 * Math.abs(sideways ? y : x) - (joined ? 1e6 : 0);
      if (far < least) [best, least] = [other, far];
    }
    return best;
  };

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
    highlight(near, joins);
    panel.hidden = key === null;
    if (key === null) {
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
    if (!byId("graph").classList.contains("off")) reveal(key);
    remember(its.name);
  };
  const chooseArrow = (key) => {
    const { node, source, target } = arrows.get(key);
    choose(source);
    highlight(new Set([source, target]), new Set([key]));
    panel.prepend(make("p", "what", node.querySelector("title").textContent));
  };
  const highlight = (near, joins) => {
    picture.classList.toggle("picked", near.size > 0);
    for (const [key, box] of boxes) box.node.classList.toggle("near", near.has(key));
    for (const [key, arrow] of arrows) arrow.node.classList.toggle("near", joins.has(key));
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
      if (boxes.get(key).node.classList.contains("gone")) reset();
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
    parts.push(make("p", "", its.name));
    const kind = its.shape === "receiver" && its.sends.length ? "Receiver, sends on" : kinds[its.shape];
    parts.push(make("p", "what", [kind, its.app && `app ${its.app}`, its.place].filter(Boolean).join(" · ")));
    parts.push(...its.words.map((word) => make("span", "warn", word)));
    parts.push(...list("Sent by", its.sentBy));
    parts.push(...list("Received by, in this order", its.receivedBy, "ol"));
    parts.push(...list("Receives", its.receives));
    parts.push(...list(its.shape === "receiver" ? "Sends on" : "Sends", its.sends));
    for (const cycle of data.cycles.filter((each) => each.includes(key))) {
      parts.push(make("h3", "", "Cycle"), make("ol", "", ...cycle.map((each) => make("li", "", link(each)))));
    }
    return parts;
  };

  // --- what is shown ---

  const filters = ["app", "senders", "cycles", "orphans"];
  const filter = () => {
    const app = byId("app").value;
    const steps = new Set(data.cycles.flat());
    const stays = (key, { its }) =>
      (byId("senders").checked || its.shape !== "sender") &&
      (!byId("cycles").checked || steps.has(key)) &&
      (!byId("orphans").checked || its.orphan || (its.shape === "sender" && its.sends.some((each) => boxes.get(each.key).its.orphan)));
    const left = new Set();
    for (const [key, box] of boxes) if (stays(key, box)) left.add(key);
    if (app) {
      const own = new Set([...left].filter((key) => boxes.get(key).its.app === app));
      for (const key of [...left]) {
        if (![...boxes.get(key).near].some((other) => own.has(other))) left.delete(key);
      }
    }
    for (const [key, box] of boxes) box.node.classList.toggle("gone", !left.has(key));
    for (const { node, source, target, cyclic } of arrows.values()) {
      const off = byId("cycles").checked && !cyclic;
      node.classList.toggle("gone", off || !left.has(source) || !left.has(target));
    }
    byId("empty").hidden = left.size > 0;
    if (chosen !== null && !left.has(chosen)) choose(null);
    search();
    fit();
  };
  const reset = () => {
    byId("app").value = "";
    byId("senders").checked = true;
    byId("cycles").checked = byId("orphans").checked = false;
    filter();
  };
  for (const id of filters) byId(id).addEventListener("change", filter);
  byId("reset").addEventListener("click", reset);

  const rows = [...byId("table").querySelectorAll("tbody tr")];
  const search = () => {
    const text = find.value.trim().toLowerCase();
    hit = -1;
    hits = text ? visible().filter((box) => `${box.its.name} ${box.its.place}`.toLowerCase().includes(text)) : [];
    hits.sort((a, b) => a.its.name.length - b.its.name.length);
    for (const box of boxes.values()) box.node.classList.toggle("hit", hits.includes(box));
    for (const row of rows) row.hidden = text !== "" && !row.textContent.toLowerCase().includes(text);
    byId("found").textContent = text ? (hits.length ? `${hits.length} found` : "nothing found") : "";
  };
  const nextHit = (by) => {
    if (!hits.length) return;
    hit = (hit + by + hits.length) % hits.length;
    choose(hits[hit].node.dataset.key);
    byId("found").textContent = `${hit + 1} of ${hits.length}`;
  };
  find.addEventListener("input", search);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") nextHit(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && find.value) {
      find.value = "";
      search();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  });
  byId("tools").addEventListener("submit", (event) => event.preventDefault());

  // --- buttons ---

  const asTable = (on) => {
    byId("graph").classList.toggle("off", on);
    byId("table").classList.toggle("shown", on);
    byId("as-table").setAttribute("aria-pressed", String(on));
    byId("as-graph").setAttribute("aria-pressed", String(!on));
    if (on) choose(null);
    else fit();
  };
  byId("as-table").addEventListener("click", () => asTable(true));
  byId("as-graph").addEventListener("click", () => asTable(false));
  document.querySelector(".skip").addEventListener("click", () => asTable(true));
  byId("in").addEventListener("click", () => zoom(1.25));
  byId("out").addEventListener("click", () => zoom(0.8));
  byId("fit").addEventListener("click", fit);

  const themes = ["", "light", "dark"];
  const said = { "": "as the system is", light: "light", dark: "dark" };
  const kept = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("signal-graph-theme") ?? "";
      localStorage.setItem("signal-graph-theme", value);
    } catch {
      // files may have no storage
    }
    return "";
  };
  const paint = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    byId("theme").setAttribute("aria-label", `Colours: ${said[theme]}`);
    byId("theme").title = `Colours: ${said[theme]}`;
  };
  byId("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? "";
    const next = themes[(themes.indexOf(now) + 1) % themes.length];
    kept(next);
    paint(next);
  });

  // --- the beginning ---

  document.documentElement.classList.add("ready");
  paint(themes.includes(kept()) ? kept() : "");
  if (matchMedia("(max-width: 760px)").matches) byId("legend").open = false;
  byId("empty").hidden = boxes.size > 0;
  fit();
  let wide = picture.getBoundingClientRect().width;
  new ResizeObserver(() => {
    const now = picture.getBoundingClientRect().width;
    if (now && Math.abs(now - wide) > 1 && chosen === null) fit();
    else if (now && chosen !== null) reveal(chosen);
    wide = now;
  }).observe(picture);
  const wanted = decodeURIComponent(location.hash.slice(1));
  for (const [key, { its }] of boxes) if (wanted && its.name === wanted) choose(key);
})();
