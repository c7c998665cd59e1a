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
  else if (focused !== null) focus(focused);
  search();
  fit();
};
const clear = () => {
  byId("app").value = "";
  byId("senders").checked = true;
  byId("cycles").checked = byId("orphans").checked = false;
  filter();
};
for (const id of filters) byId(id).addEventListener("change", filter);
byId("reset").addEventListener("click", clear);

const rows = [...byId("table").querySelectorAll("tbody tr")];
const search = () => {
  const text = find.value.trim().toLowerCase();
  hit = -1;
  hits = text ? [...boxes.values()].filter((box) => !box.node.classList.contains("gone")).filter((box) => `${box.its.name} ${box.its.place}`.toLowerCase().includes(text)) : [];
  hits.sort((a, b) => a.its.name.length - b.its.name.length);
  const found = new Set(hits);
  for (const box of boxes.values()) box.node.classList.toggle("hit", found.has(box));
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
