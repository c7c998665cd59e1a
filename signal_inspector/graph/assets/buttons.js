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
byId("fit").addEventListener("click", () => fit(true));

const themes = ["", "light", "dark"];
const said = { "": "same as the system", light: "light", dark: "dark" };
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
  byId("theme").setAttribute("aria-label", `Colors: ${said[theme]}`);
  byId("theme").title = `Colors: ${said[theme]}`;
};
byId("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "";
  const next = themes[(themes.indexOf(now) + 1) % themes.length];
  kept(next);
  paint(next);
});

// --- the beginning ---

document.documentElement.classList.add("ready");
picture.classList.toggle("large", large);
paint(themes.includes(kept()) ? kept() : "");
if (matchMedia("(max-width: 760px)").matches) byId("legend").open = false;
byId("empty").hidden = boxes.size > 0;
fit();
let wide = picture.getBoundingClientRect().width;
new ResizeObserver(() => {
  const now = picture.getBoundingClientRect().width;
  if (now && Math.abs(now - wide) > 1 && (place.fitted || focused !== null)) fit();
  else if (now && chosen !== null) reveal(chosen);
  wide = now;
}).observe(picture);
const wanted = decodeURIComponent(location.hash.slice(1));
for (const [key, { its }] of boxes) if (wanted && its.name === wanted) choose(key);
