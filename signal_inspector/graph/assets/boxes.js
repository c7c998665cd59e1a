const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const picture = byId("picture");
const view = byId("view");
const panel = byId("panel");
const find = byId("find");
const whole = { width: Number(picture.dataset.width), height: Number(picture.dataset.height) };

const boxes = new Map(); // key -> { node, its, frame, near: keys, arrows: keys, ... }
const arrows = new Map(); // key -> { node, source, target, cyclic, ... }
const large = Object.keys(data.boxes).length > 250;
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
  boxes.set(key, { node, parent: node.parentNode, its, frame, home: frame, near: new Set([key]), arrows: new Set() });
  node.setAttribute("role", "button");
  node.setAttribute("tabindex", "-1");
  node.setAttribute("aria-pressed", "false");
  node.setAttribute("aria-label", [its.name, its.shape, ...its.words].join(", "));
}
for (const [key, [source, target, cyclic]] of Object.entries(data.arrows)) {
  const node = byId(key);
  const home = node.querySelector(".line").getAttribute("d");
  const label = node.querySelector(".label");
  const written = label && ["x", "y", "text-anchor"].map((name) => [name, label.getAttribute(name)]);
  arrows.set(key, { node, parent: node.parentNode, source, target, cyclic, home, label, written });
  for (const end of [source, target]) {
    boxes.get(end).arrows.add(key);
    boxes.get(end).near.add(source).add(target);
  }
}
