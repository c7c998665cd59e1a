// --- where the picture stands: x and y of its corner in the window, and its scale ---

const place = { x: 0, y: 0, scale: 1, fitted: false }; // fitted: until a person moves it
const least = () => Math.min(0.05, fitting(whole).scale);
const most = 3;

let culling = 0;
// Of a large graph only what is in sight stays in the document: Chromium lays all text out anew
// at each step of a zoom, also where it is hidden.
const draws = (its, out) => {
  if (out === its.out) return;
  its.out = out;
  if (out) its.node.remove();
  else its.parent.append(its.node);
};
const cull = () => {
  culling = 0;
  const size = picture.getBoundingClientRect();
  const margin = 200;
  const left = -place.x / place.scale - margin;
  const top = -place.y / place.scale - margin;
  const right = left + size.width / place.scale + 2 * margin;
  const bottom = top + size.height / place.scale + 2 * margin;
  for (const box of boxes.values()) {
    const { x, y, width, height } = box.frame;
    const out = x > right || y > bottom || x + width < left || y + height < top;
    if (box.node !== document.activeElement) draws(box, out || !isShown(box));
  }
  for (const arrow of arrows.values()) {
    const a = boxes.get(arrow.source).frame;
    const b = boxes.get(arrow.target).frame;
    const out = Math.min(a.x, b.x) > right || Math.max(a.x + a.width, b.x) < left ||
      Math.min(a.y, b.y) > bottom || Math.max(a.y, b.y) + a.height < top;
    draws(arrow, out || !isShown(arrow));
  }
};
const show = () => {
  view.setAttribute("transform", `translate(${place.x} ${place.y}) scale(${place.scale})`);
  picture.classList.toggle("far", place.scale < 0.4);
  picture.classList.toggle("tiny", place.scale < 0.15);
  if (large && !culling) culling = requestAnimationFrame(cull);
};
const zoom = (factor, x, y) => {
  const size = picture.getBoundingClientRect();
  const at = { x: x ?? size.width / 2, y: y ?? size.height / 2 };
  const scale = Math.min(Math.max(place.scale * factor, least()), most);
  place.x = at.x - (at.x - place.x) * (scale / place.scale);
  place.y = at.y - (at.y - place.y) * (scale / place.scale);
  place.scale = scale;
  place.fitted = false;
  show();
};
const move = (x, y) => {
  place.x += x;
  place.y += y;
  place.fitted = false;
  show();
};
function fitting(frame) {
  const size = picture.getBoundingClientRect();
  const scale = Math.min(size.width / frame.width, size.height / frame.height, 1.15);
  return { size, scale };
}
const isShown = ({ node }) => !node.classList.contains("gone") && !node.classList.contains("aside");
const visible = () => [...boxes.values()].filter(isShown);
const around = (some) => {
  if (!some.length) return { x: 0, y: 0, ...whole };
  const margin = 28;
  const x = Math.min(...some.map((box) => box.frame.x)) - margin;
  const y = Math.min(...some.map((box) => box.frame.y)) - margin;
  const right = Math.max(...some.map((box) => box.frame.x + box.frame.width)) + margin;
  const bottom = Math.max(...some.map((box) => box.frame.y + box.frame.height)) + margin;
  return { x, y, width: right - x, height: bottom - y };
};
const fit = (whatever = false) => {
  const some = visible();
  const frame = some.length === boxes.size ? { x: 0, y: 0, ...whole } : around(some);
  const { size, scale } = fitting(frame);
  // Too small to read anything: rather begin at the upper left.
  const readable = !whatever && scale < 0.12;
  place.scale = readable ? 0.45 : scale;
  place.x = readable ? -frame.x * place.scale : (size.width - frame.width * scale) / 2 - frame.x * scale;
  place.fitted = !readable;
  place.y = readable ? -frame.y * place.scale : (size.height - frame.height * scale) / 2 - frame.y * scale;
  show();
};
// Move as little as is needed to have a box in sight, and large enough to be read.
const reveal = (key) => {
  if (place.fitted && place.scale >= 0.55) return;
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
