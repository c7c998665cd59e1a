// --- the mouse, and fingers ---

const fingers = new Map();
let traveled = 0;
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
  if (!fingers.size) traveled = 0;
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
    traveled += 10;
    move(now.x - old.x, now.y - old.y);
    zoom(now.far / old.far, now.x - size.left, now.y - size.top);
    return;
  }
  traveled += Math.hypot(event.clientX - before.x, event.clientY - before.y);
  if (traveled > 4) {
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
  if (traveled > 4) return;
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
  else if (event.key === "0") fit(true);
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
  some.sort((a, b) => a.frame.x - b.frame.x || a.frame.y - b.frame.y);
  return some.length ? some[0].node.dataset.key : null;
};
const focusBox = (key) => {
  if (key === null) return;
  reveal(key);
  draws(boxes.get(key), false);
  boxes.get(key).node.focus({ preventScroll: true });
};
// The nearest box in a direction: along arrows to the left and right, else by place.
const beside = (key, direction) => {
  const here = boxes.get(key).frame;
  const sideways = direction === "ArrowLeft" || direction === "ArrowRight";
  const sign = direction === "ArrowRight" || direction === "ArrowDown" ? 1 : -1;
  let best = key;
  let least = Infinity;
  for (const [other, box] of boxes) {
    if (other === key || !isShown(box)) continue;
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
