// What the panel can do beyond being read: tabs, filters, opening and closing rows, fetching the
// rest of a group, copying, and going to another request.
//
// The toolbar puts the panel into the page late and may replace it at any time (AJAX, history),
// and a module runs once per URL. So nothing here holds on to a panel: every panel is set up when
// it is first seen, and listens by itself.

/**
 * @typedef {object} Filter
 * @property {string} text lower case; "" lets everything pass
 * @property {number} ms milliseconds a row must have taken at least
 * @property {boolean} failures only what failed
 * @property {boolean} on whether anything is filtered at all
 */

/**
 * A row of the timeline. `wish` is what the reader opened, `open` what is open now: a filter opens
 * more, and gives it back when it is cleared.
 * @typedef {object} Entry
 * @property {HTMLTableRowElement} row
 * @property {string} kind
 * @property {Entry | undefined} parent
 * @property {boolean} filtered false: it only follows its parent
 * @property {boolean} loose a dispatch under its receiver: in sight whether that is open or not
 * @property {boolean} open
 * @property {boolean} wish
 * @property {string | null} words
 * @property {boolean} [named] its own words match
 * @property {boolean} [within] they do, or those of a row above it
 * @property {boolean} [passes]
 * @property {boolean} [holds] something below it passes
 * @property {boolean} [opens] something right below it, or below that, matches by itself
 * @property {boolean} [through] the same, by way of a dispatch that is in sight anyway
 * @property {boolean} [seen]
 */

const STOPS = [0.1, 0.2, 0.5].concat([1, 10, 100, 1000, 10000].flatMap((n) => [n, 2 * n, 5 * n]));
const FILTERED = ["dispatch", "call", "notcalled"];
const COUNTED = { timeline: "dispatch rows", receivers: "receivers", catalogue: "signals" };

/** @returns {HTMLElement | null} the toolbar's own element, in the shadow root or out of it */
function toolbar() {
    const host = document.getElementById("djDebugRoot");
    return (host?.shadowRoot ?? document).querySelector("#djDebug");
}

/**
 * Bring the style sheet in once, beside the toolbar's own and with its nonce: where the policy
 * lets that one in, it lets this one in. Where a link does not load, adopt the text instead.
 * @param {HTMLElement} djDebug
 * @param {string} href
 */
function ensureStyle(djDebug, href) {
    const place = djDebug.parentNode;
    if (!href || !place || place.querySelector("link[data-si-style]")) return;
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.nonce = /** @type {HTMLElement} */ (place.querySelector("link[nonce]"))?.nonce ?? "";
    link.dataset.siStyle = "";
    link.addEventListener("error", () => adoptStyle(djDebug, href));
    link.href = href;
    djDebug.before(link);
}

/** @param {HTMLElement} djDebug @param {string} href */
async function adoptStyle(djDebug, href) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(await (await fetch(href)).text());
    const scope = /** @type {Document | ShadowRoot} */ (djDebug.getRootNode());
    scope.adoptedStyleSheets = [...scope.adoptedStyleSheets, sheet];
}

/** One panel: `.si` and everything in it. */
class Panel {
    /** @param {HTMLElement} si */
    constructor(si) {
        this.si = si;
        this.entries = /** @type {Entry[]} */ ([]);
        this.byId = /** @type {Map<string, Entry>} */ (new Map());
        this.stops = [0];
        this.index();
        this.prepareSlider();
        si.addEventListener("click", (event) => this.clicked(event));
        si.addEventListener("input", () => this.refilter());
        si.addEventListener("keydown", (event) => this.pressed(event));
        this.measure();
    }

    /** @param {string} selector @returns {any} */
    find(selector) {
        return this.si.querySelector(selector);
    }

    /** @param {string} selector @returns {any[]} */
    all(selector) {
        return [...this.si.querySelectorAll(selector)];
    }

    /** The sticky head of the table stands below the sticky bar, however high that is. */
    measure() {
        const bar = this.find(".si-bar");
        if (!bar) return;
        const tell = () => this.si.style.setProperty("--si-bar-height", `${bar.offsetHeight}px`);
        new ResizeObserver(tell).observe(bar);
    }

    /** Read the rows of the timeline anew, keeping what is known of those that were there. */
    index() {
        const known = this.byId;
        this.byId = new Map();
        this.entries = this.all("[data-si-rows] > tr").map((row) => {
            const { siId, siParent, siKind } = row.dataset;
            const parent = this.byId.get(siParent);
            const open = row.querySelector(".si-toggle")?.getAttribute("aria-expanded") === "true";
            const entry = known.get(siId) ?? { row, kind: siKind, open, wish: open, words: null };
            entry.parent = parent;
            entry.filtered = FILTERED.includes(siKind);
            entry.loose = siKind === "dispatch" && parent?.kind === "call";
            this.byId.set(siId, entry);
            return entry;
        });
    }

    /** Steps that suit microseconds and minutes alike, up to what took longest here. */
    prepareSlider() {
        const slider = this.find("[data-si-ms][type=range]");
        if (!slider) return;
        this.stops = [0, ...STOPS.filter((stop) => stop < Number(slider.dataset.siMax))];
        slider.max = String(this.stops.length - 1);
        slider.disabled = this.stops.length === 1;
    }

    /** @returns {Filter} */
    filter() {
        const text = this.find("[data-si-text]")?.value.trim().toLowerCase() ?? "";
        const ms = this.stops[Number(this.find("[data-si-ms][type=range]")?.value ?? 0)] ?? 0;
        const failures = this.find("[data-si-failures]")?.checked ?? false;
        return { text, ms, failures, on: text !== "" || ms > 0 || failures };
    }

    /** The filter changed: what holds a match opens, and goes back when the filter is cleared. */
    refilter() {
        const filter = this.filter();
        this.judge(filter);
        for (const entry of this.entries) {
            entry.open = entry.wish || ((filter.text !== "" || filter.failures) && !!entry.opens);
        }
        const slider = this.find("[data-si-ms][type=range]");
        if (slider) {
            const words = `${filter.ms.toLocaleString("en")} ms`;
            slider.setAttribute("aria-valuetext", words);
            slider.nextElementSibling.value = words;
        }
        this.paint(filter);
    }

    /** Decide which rows pass, and which have something below them that does. @param {Filter} filter */
    judge(filter) {
        for (const entry of this.entries) {
            entry.named = filter.text === "" || wordsOf(entry).includes(filter.text);
            entry.within = entry.named || !!entry.parent?.within;
            const through = entry.filtered && passesRow(entry.row, filter);
            entry.passes = through && entry.within;
            entry.named &&= through;
            entry.holds = entry.opens = entry.through = false;
        }
        for (const entry of this.entries.toReversed()) {
            const parent = entry.parent;
            if (!parent) continue;
            parent.holds ||= entry.passes || entry.holds;
            if (!(entry.named || entry.opens || entry.through)) continue;
            if (entry.loose) parent.through = true;
            else parent.opens = true;
        }
    }

    /** Show the rows that pass and whose parents are open. @param {Filter} filter */
    paint(filter) {
        for (const entry of this.entries) {
            const { parent, row } = entry;
            const reached = !parent || (!!parent.seen && (parent.open || entry.loose));
            const kept = !filter.on || !entry.filtered || entry.passes || entry.holds;
            entry.seen = reached && !!kept;
            if (row.hidden === entry.seen) row.hidden = !entry.seen;
            row.querySelector(".si-toggle")?.setAttribute("aria-expanded", String(entry.open));
        }
        if (filter.on) this.hideEmptyHeadings();
        this.paintLists(filter);
        this.count(filter);
    }

    hideEmptyHeadings() {
        for (const [at, entry] of this.entries.entries()) {
            if (entry.kind !== "heading") continue;
            const rest = this.entries.slice(at + 1).filter((other) => other.parent === entry.parent);
            const end = rest.findIndex((other) => !other.filtered);
            const own = end < 0 ? rest : rest.slice(0, end);
            entry.row.hidden ||= !own.some((other) => other.seen);
        }
    }

    /** @param {Filter} filter */
    paintLists(filter) {
        for (const row of this.all(".si-list > tbody > tr")) {
            row.siWords ??= row.textContent.toLowerCase();
            const timed = row.dataset.siMs === undefined || passesRow(row, filter);
            row.hidden = !(timed && row.siWords.includes(filter.text));
        }
    }

    /** Say how much is left. @param {Filter} filter */
    count(filter) {
        const place = this.find("[data-si-count]");
        const tab = this.find("[role=tab][aria-selected=true]")?.dataset.siTab;
        if (!place || !tab) return;
        const list = this.all(`.si-${tab} > tbody > tr`);
        const rows = this.entries.filter((entry) => entry.kind === "dispatch");
        const timeline = tab === "timeline";
        const total = timeline ? rows.length : list.length;
        const left = timeline
            ? rows.filter((entry) => entry.passes || entry.holds).length
            : list.filter((row) => !row.hidden).length;
        const words = filter.on ? `${left} of ${total} ${COUNTED[tab]}` : "";
        if (place.textContent !== words) place.textContent = words;
    }

    /** @param {Event} event */
    clicked(event) {
        const button = /** @type {HTMLElement} */ (event.target).closest("button");
        if (!button || !this.si.contains(button)) return;
        const data = button.dataset;
        if (button.matches(".si-toggle")) this.toggle(button);
        else if (data.siTab) this.select(data.siTab);
        else if (data.siShow) this.show(data.siShow);
        else if (data.siMore) this.more(button, data.siMore);
        else if (data.siCopy) this.copy(button, data.siCopy);
        else if (data.siSort) this.sort(button);
        else if (data.siOpen) this.go(button);
    }

    /** @param {KeyboardEvent} event */
    pressed(event) {
        const target = /** @type {HTMLInputElement} */ (event.target);
        if (target.matches("[data-si-text]")) {
            // Escape would close the toolbar's panel, and letters may be shortcuts of the page.
            event.stopPropagation();
            if (event.key !== "Escape") return;
            event.preventDefault();
            target.value = "";
            this.refilter();
        } else if (target.matches("[role=tab]")) {
            const tabs = this.all("[role=tab]");
            const at = tabs.indexOf(target);
            const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
            if (next === undefined) return;
            event.preventDefault();
            const tab = tabs.at(next % tabs.length);
            this.select(tab.dataset.siTab);
            tab.focus();
        }
    }

    /** @param {string} name */
    select(name) {
        for (const tab of this.all("[role=tab]")) {
            const chosen = tab.dataset.siTab === name;
            tab.setAttribute("aria-selected", String(chosen));
            tab.tabIndex = chosen ? 0 : -1;
            this.find(`[data-si-view="${tab.dataset.siTab}"]`).hidden = !chosen;
        }
        for (const label of this.all("[data-si-timed]")) label.hidden = name === "catalogue";
        this.count(this.filter());
    }

    /** @param {HTMLElement} button */
    async toggle(button) {
        const entry = this.byId.get(button.closest("tr")?.dataset.siId ?? "");
        if (!entry) return;
        entry.open = entry.wish = !entry.open;
        await this.ensureChildren(entry);
        this.paint(this.filter());
    }

    /** Fetch what stands under a row, when it is opened for the first time. @param {Entry} entry */
    async ensureChildren(entry) {
        const url = entry.row.dataset.siFetch;
        if (!entry.open || !url) return;
        delete entry.row.dataset.siFetch;
        const own = this.entries.filter((other) => other.parent === entry && other.kind === "facts");
        if (await this.insert(url, (own.at(-1) ?? entry).row)) return;
        entry.row.dataset.siFetch = url;
        entry.open = entry.wish = false;
    }

    /** @param {HTMLButtonElement} button @param {string} url */
    async more(button, url) {
        const row = button.closest("tr");
        if (!row || button.disabled) return;
        button.disabled = true;
        const before = row.previousElementSibling;
        if (await this.insert(url, row)) {
            row.remove();
            this.index();
            this.refilter();
            const first = /** @type {HTMLElement} */ (before?.nextElementSibling);
            first?.querySelector("button")?.focus();
        }
        button.disabled = false;
    }

    /**
     * Fetch rows and put them after one that is there.
     * @param {string} url
     * @param {HTMLElement} after
     * @returns {Promise<boolean>} whether that worked
     */
    async insert(url, after) {
        try {
            const answer = await (await fetch(url)).json();
            if (answer.html === undefined) throw new Error(answer.error);
            const template = document.createElement("template");
            template.innerHTML = answer.html;
            after.after(template.content);
            this.index();
            this.judge(this.filter());
            return true;
        } catch (error) {
            this.say(`Could not be loaded: ${/** @type {Error} */ (error).message}`);
            return false;
        }
    }

    /** Open a row and all above it, and take the focus there. @param {string} id */
    async show(id) {
        const entry = this.byId.get(id);
        if (!entry) return;
        for (const input of this.all(".si-filters input")) {
            input.checked = false;
            input.value = input.type === "range" ? "0" : "";
        }
        entry.wish = true;
        for (let at = entry; at.parent; at = at.parent) at.parent.wish ||= !at.loose;
        this.select("timeline");
        this.refilter();
        await this.ensureChildren(entry);
        this.paint(this.filter());
        const { row } = entry;
        row.tabIndex = -1;
        (row.querySelector(".si-toggle") ?? row).focus({ preventScroll: true });
        row.scrollIntoView({ block: "center" });
        row.classList.add("si-flash");
        setTimeout(() => row.classList.remove("si-flash"), 1500);
    }

    /** @param {HTMLElement} button @param {string} url */
    async copy(button, url) {
        try {
            const answer = await fetch(url);
            if (!answer.ok) throw new Error(String(answer.status));
            await toClipboard(await answer.text(), button);
            this.say("Copied as JSON.");
        } catch {
            this.say("Could not be copied: use Download JSON.");
        }
    }

    /** Sort "By receiver" by a column, the largest first, or the other way round. @param {HTMLElement} button */
    sort(button) {
        const head = button.closest("th");
        const body = button.closest("table")?.tBodies[0];
        if (!head || !body) return;
        const falling = head.getAttribute("aria-sort") !== "descending";
        for (const other of this.all("th[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const value = (/** @type {HTMLElement} */ row) =>
            Number(row.dataset.siValues?.split(" ")[Number(button.dataset.siSort)]);
        const rows = [...body.rows].sort((a, b) => value(b) - value(a));
        body.append(...(falling ? rows : rows.toReversed()));
    }

    /** Go to another request: the whole toolbar where it can be switched, else this panel alone. @param {HTMLElement} button */
    async go(button) {
        const { siOpen, siSwitch, siPanel } = button.dataset;
        const djDebug = toolbar();
        const whole = djDebug?.dataset.renderPanelUrl && siSwitch;
        try {
            const answer = await (await fetch(whole || siPanel || "")).json();
            takeFocus = true;
            if (whole) switchToolbar(djDebug, siOpen ?? "", this.si, answer);
            else this.si.parentElement.innerHTML = answer.content;
            setUp();
        } catch {
            takeFocus = false;
            this.say("That request is not kept any more.");
        }
    }

    /** Tell the reader, in sight and aloud. @param {string} words */
    say(words) {
        const place = this.find("[data-si-say]");
        if (!place) return;
        place.textContent = words;
        setTimeout(() => {
            if (place.textContent === words) place.textContent = "";
        }, 5000);
    }
}

/** The words a row is found by, gathered once. @param {Entry} entry @returns {string} */
function wordsOf(entry) {
    if (entry.words !== null) return entry.words;
    if (!entry.filtered) return (entry.words = "");
    const { row } = entry;
    const next = /** @type {HTMLElement | null} */ (row.nextElementSibling);
    const own = next?.dataset.siKind === "facts" && next.dataset.siParent === row.dataset.siId;
    const payload = own ? next.querySelector(".si-payload > summary")?.textContent : "";
    const cells = [row.cells[0], row.cells[row.cells.length - 1]].map((cell) => cell?.textContent);
    entry.words = [...cells, payload, row.dataset.siSearch].join(" ").toLowerCase();
    return entry.words;
}

/** The threshold never hides what failed, was skipped, or was received by nobody. @param {HTMLElement} row @param {Filter} filter */
function passesRow(row, filter) {
    if (filter.failures && row.dataset.siFailed === undefined) return false;
    return row.dataset.siKeep !== undefined || Number(row.dataset.siMs) >= filter.ms;
}

/** @param {string} text @param {HTMLElement} button near which a page without a clipboard may select */
async function toClipboard(text, button) {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        // No clipboard on a page that is not secure: the old way.
        const area = document.createElement("textarea");
        area.value = text;
        area.className = "si-sr";
        button.after(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        button.focus();
        if (!done) throw new Error("no clipboard");
    }
}

/**
 * What the toolbar's History does: put another request's panels in place, then open this one.
 * @param {HTMLElement} djDebug
 * @param {string} requestId
 * @param {HTMLElement} si
 * @param {Record<string, {button: string, content: string}>} panels
 */
function switchToolbar(djDebug, requestId, si, panels) {
    const own = si.closest(".djdt-panelContent")?.id ?? "";
    if (!panels[own]) throw new Error("expired");
    djDebug.setAttribute("data-request-id", requestId);
    for (const [id, { button, content }] of Object.entries(panels)) {
        const panel = djDebug.querySelector(`#${id}`);
        const item = djDebug.querySelector(`#djdt-${id}`);
        if (panel && item) {
            panel.outerHTML = content;
            item.outerHTML = button;
        }
    }
    /** @type {HTMLElement | null} */ (djDebug.querySelector(`#djDebugPanelList a.${own}`))?.click();
}

const watched = new WeakSet();
let takeFocus = false;

/** Set up every panel that is not yet, and the toolbar that will bring more. */
function setUp() {
    const djDebug = toolbar();
    if (!djDebug) return;
    if (!watched.has(djDebug)) djDebug.addEventListener("djdt.panel.render", setUp);
    watched.add(djDebug);
    for (const si of /** @type {NodeListOf<HTMLElement>} */ (djDebug.querySelectorAll(".si"))) {
        if (watched.has(si)) continue;
        watched.add(si);
        ensureStyle(djDebug, si.dataset.siCss ?? "");
        new Panel(si);
        if (takeFocus) /** @type {HTMLElement | null} */ (si.querySelector("[data-si-start]"))?.focus();
        takeFocus = false;
    }
}

setUp();
// The page may bring a new toolbar without a new document (htmx); a click comes before its panel.
document.addEventListener("click", setUp, true);
