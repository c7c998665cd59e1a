// --- the neighborhood alone: who leads to a box, and what follows from it ---

const UP = 3; // steps against the arrows: signal, receiver, signal
const DOWN = 6;
const MOST = 300; // boxes
const ROW = 54;
const GAP = 120;
let focused = null;
let focusing = large;

const ahead = new Map();
const behind = new Map();
for (const key of boxes.keys()) {
  ahead.set(key, []);
  behind.set(key, []);
}
for (const { source, target } of arrows.values()) {
  ahead.get(source).push(target);
  behind.get(target).push(source);
}

// The columns that boxes around this one stand in: 0 is its own, those before it are below 0.
const columnsAround = (key) => {
  const columns = new Map([[key, 0]]);
  for (const [steps, sign, most] of [[behind, -1, UP], [ahead, 1, DOWN]]) {
    let waiting = [key];
    for (let depth = 1; depth <= most && waiting.length; depth += 1) {
      const next = [];
      for (const other of waiting.flatMap((each) => steps.get(each))) {
        if (columns.has(other) || columns.size >= MOST || boxes.get(other).node.classList.contains("gone")) continue;
        columns.set(other, depth * sign);
        next.push(other);
      }
      waiting = next;
    }
  }
  return columns;
};
// Give each box of a column a row near the boxes it is joined with, none above another.
const spaced = (members, middles) => {
  const wanted = members.map((key) => {
    const known = [...boxes.get(key).near].filter((other) => middles.has(other)).map((other) => middles.get(other));
    return { key, at: known.length ? known.reduce((a, b) => a + b, 0) / known.length : 0 };
  });
  wanted.sort((a, b) => a.at - b.at); // stable: the order of calls stays
  const mean = wanted.reduce((sum, each) => sum + each.at, 0) / wanted.length;
  let last = -Infinity;
  for (const each of wanted) {
    each.row = Math.max(each.at, last + ROW);
    last = each.row;
  }
  const shift = mean - wanted.reduce((sum, each) => sum + each.row, 0) / wanted.length;
  for (const { key, row } of wanted) middles.set(key, row + shift);
};
const arrange = (columns) => {
  const byColumn = new Map();
  for (const [key, column] of columns) byColumn.set(column, [...(byColumn.get(column) ?? []), key]);
  const order = [...byColumn.keys()].sort((a, b) => a - b);
  const middles = new Map([[byColumn.get(0)[0], 0]]);
  for (const column of order.filter((each) => each > 0)) spaced(byColumn.get(column), middles);
  for (const column of order.filter((each) => each < 0).reverse()) spaced(byColumn.get(column), middles);
  let x = 0;
  for (const column of order) {
    const members = byColumn.get(column);
    for (const key of members) put(boxes.get(key), { ...boxes.get(key).home, x, y: middles.get(key) });
    x += Math.max(...members.map((key) => boxes.get(key).home.width)) + GAP;
  }
};
const put = (box, frame) => {
  box.frame = frame;
  box.node.setAttribute("transform", `translate(${frame.x} ${frame.y})`);
};
const trace = (arrow, path, label) => {
  for (const line of arrow.node.querySelectorAll("path")) line.setAttribute("d", path);
  if (arrow.label) for (const [name, value] of label) arrow.label.setAttribute(name, value);
};
const redraw = (arrow, floor) => {
  const a = boxes.get(arrow.source).frame;
  const b = boxes.get(arrow.target).frame;
  const [x, y, toX, toY] = [a.x + a.width, a.y + a.height / 2, b.x, b.y + b.height / 2];
  if (toX > x) {
    const bend = (toX - x) / 2;
    const path = `M${x} ${y}C${x + bend} ${y} ${toX - bend} ${toY} ${toX} ${toY}`;
    trace(arrow, path, [["x", toX - 12], ["y", toY - 5], ["text-anchor", "end"]]);
  } else {
    // Back to the left: below all boxes, with the same turns as in the whole picture.
    const path = `M${x} ${y}Q${x + 20} ${y} ${x + 20} ${y + 10}V${floor - 10}Q${x + 20} ${floor} ${x + 10} ${floor}` +
      `H${toX - 10}Q${toX - 20} ${floor} ${toX - 20} ${floor - 10}V${toY + 10}Q${toX - 20} ${toY} ${toX} ${toY}`;
    trace(arrow, path, [["x", (x + toX) / 2], ["y", floor - 4], ["text-anchor", "middle"]]);
  }
};
const focus = (key) => {
  picture.classList.toggle("around", key !== null);
  if (key === null) {
    if (focused === null) return;
    focused = null;
    for (const box of boxes.values()) {
      put(box, box.home);
      box.node.classList.remove("aside");
    }
    for (const arrow of arrows.values()) {
      trace(arrow, arrow.home, arrow.written);
      arrow.node.classList.remove("aside");
    }
    fit();
    return;
  }
  focused = key;
  const columns = columnsAround(key);
  arrange(columns);
  for (const [other, box] of boxes) box.node.classList.toggle("aside", !columns.has(other));
  let floor = Math.max(...[...columns.keys()].map((other) => boxes.get(other).frame.y)) + ROW;
  for (const arrow of arrows.values()) {
    const shown = columns.has(arrow.source) && columns.has(arrow.target);
    arrow.node.classList.toggle("aside", !shown);
    if (shown) redraw(arrow, floor);
    if (shown && boxes.get(arrow.source).frame.x >= boxes.get(arrow.target).frame.x) floor += 18;
  }
  fit();
  if (place.scale < 0.5) reveal(key);
};
