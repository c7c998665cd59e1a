// What the panel can do beyond being read: tabs, filters, opening and closing rows, fetching the
// rest of a group, copying, and going to another request.
//
// The toolbar puts the panel into the page late and may replace it at any time (AJAX, history),
// and a module runs once per URL. So nothing here holds on to a panel: each is set up when it is
// first seen, and listens by itself.

import { copyFrom } from "./display/copy.js";
import { ensureStyles, switchToolbar, toolbar } from "./host.js";
import { Timeline, passesFigures } from "./timeline.js";

/** @typedef {import("./timeline.js").Filter} Filter */
/** @typedef {import("./timeline.js").Entry} Entry */

// Steps of the threshold, in ms: they suit microseconds and minutes alike.
const STOPS = [0.1, 0.2, 0.5].concat([1, 10, 100, 1000, 10000].flatMap((n) => [n, 2 * n, 5 * n]));
/** @type {Record<string, string>} what is counted in each tab */
const COUNTED = { timeline: "dispatch rows", receivers: "receivers", catalog: "signals" };

/** One panel: `.si` and everything in it. */
class Panel {
    /** @param {HTMLElement} si */
    constructor(si) {
        this.si = si;
        this.timeline = new Timeline(this.find("[data-si-rows]"));
        this.slider = this.find("input[data-si-ms]");
        this.stops = [0];
        this.prepareSlider();
        this.measureBar();
        si.addEventListener("click", (event) => this.clicked(event));
        si.addEventListener("input", () => this.refilter());
        si.addEventListener("keydown", (event) => this.pressed(event));
    }

    /** @param {string} selector @returns {any} */
    find(selector) {
        return this.si.querySelector(selector);
    }

    /** @param {string} selector @returns {any[]} */
    all(selector) {
        return [...this.si.querySelectorAll(selector)];
    }

    /** The sticky heads of the tables stand below the sticky bar, however high that is. */
    measureBar() {
        const bar = this.find(".si-controls");
        if (!bar) return;
        const tell = () => this.si.style.setProperty("--si-controls-height", `${bar.offsetHeight}px`);
        new ResizeObserver(tell).observe(bar);
    }

    prepareSlider() {
        if (!this.slider) return;
        this.stops = [0, ...STOPS.filter((stop) => stop < Number(this.slider.dataset.siMax))];
        this.slider.max = String(this.stops.length - 1);
        this.slider.disabled = this.stops.length === 1;
    }

    /** @returns {Filter} */
    filter() {
        const text = this.find("[data-si-text]")?.value.trim().toLowerCase() ?? "";
        const ms = this.stops[Number(this.slider?.value ?? 0)] ?? 0;
        const failures = this.find("[data-si-failures]")?.checked ?? false;
        return { text, ms, failures, on: text !== "" || ms > 0 || failures };
    }

    refilter() {
        const filter = this.filter();
        if (this.slider) {
            const words = `${filter.ms.toLocaleString("en")} ms`;
            this.slider.setAttribute("aria-valuetext", words);
            this.slider.nextElementSibling.value = words;
        }
        this.timeline.refilter(filter);
        for (const row of this.all(".si-list > tbody > tr")) {
            row.siWords ??= row.textContent.toLowerCase();
            const figures = row.dataset.siMs === undefined || passesFigures(row, filter);
            row.hidden = !(figures && row.siWords.includes(filter.text)) || this.isAside(row);
        }
        this.count(filter);
    }

    /** Whether a signal is not inspected, and not asked for. @param {HTMLElement} row */
    isAside(row) {
        return row.dataset.siOther !== undefined && !this.find("[data-si-others]")?.checked;
    }

    /** Say how much the filter leaves. @param {Filter} filter */
    count(filter) {
        const place = this.find("[data-si-count]");
        const tab = this.find("[role=tab][aria-selected=true]")?.dataset.siTab;
        if (!place || !tab) return;
        const list = this.all(`.si-${tab} > tbody > tr`).filter((row) => !this.isAside(row));
        const { left, total } = tab === "timeline"
            ? this.timeline.tally()
            : { left: list.filter((row) => !row.hidden).length, total: list.length };
        const words = filter.on ? `${left} of ${total} ${COUNTED[tab]}` : "";
        if (place.textContent !== words) place.textContent = words;
    }

    /** @param {Event} event */
    clicked(event) {
        const button = /** @type {HTMLElement} */ (event.target).closest("button");
        if (!button || !this.si.contains(button)) return;
        const data = button.dataset;
        if (button.matches(".si-opener")) this.toggle(button);
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
        for (const label of this.all("[data-si-timed]")) label.hidden = name === "catalog";
        this.count(this.filter());
    }

    /** @param {HTMLElement} button */
    async toggle(button) {
        const entry = this.timeline.byId.get(button.closest("tr")?.dataset.siId);
        if (!entry) return;
        entry.open = entry.wish = !entry.open;
        await this.ensureChildren(entry);
        this.timeline.paint(this.filter());
    }

    /** Fetch what stands under a row when it is opened for the first time. @param {Entry} entry */
    async ensureChildren(entry) {
        const { dataset } = entry.row;
        const url = dataset.siFetch;
        if (!entry.open || !url) return;
        delete dataset.siFetch;
        if (await this.insert(url, this.timeline.foot(entry))) return;
        dataset.siFetch = url;
        entry.open = entry.wish = false;
    }

    /** The next rows of a group take the place of the button. @param {HTMLButtonElement} button @param {string} url */
    async more(button, url) {
        const row = button.closest("tr");
        if (!row || button.disabled) return;
        button.disabled = true;
        const before = row.previousElementSibling;
        if (await this.insert(url, row)) {
            row.remove();
            this.timeline.index();
            this.refilter();
            focusRow(before?.nextElementSibling);
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
            this.timeline.index();
            this.timeline.judge(this.filter());
            return true;
        } catch (error) {
            this.say(`Loading failed: ${/** @type {Error} */ (error).message}`);
            return false;
        }
    }

    /** Open a row and all above it, and take the focus there. @param {string} id */
    async show(id) {
        const entry = this.timeline.byId.get(id);
        if (!entry) return;
        for (const input of this.all(".si-sieve input")) {
            input.checked = false;
            if (input.type !== "checkbox") input.value = input.type === "range" ? "0" : "";
        }
        this.timeline.reveal(entry);
        this.select("timeline");
        this.refilter();
        await this.ensureChildren(entry);
        this.timeline.paint(this.filter());
        focusRow(entry.row);
        entry.row.scrollIntoView({ block: "center" });
        entry.row.classList.add("si-flash");
        setTimeout(() => entry.row.classList.remove("si-flash"), 1500);
    }

    /** @param {HTMLElement} button @param {string} url */
    async copy(button, url) {
        try {
            await copyFrom(url, button);
            this.say("Copied as JSON.");
        } catch {
            this.say("Copying failed. Use Download JSON.");
        }
    }

    /** Sort "By receiver" by a column: largest first, then the other way round. @param {HTMLElement} button */
    sort(button) {
        const head = button.closest("th");
        const body = button.closest("table")?.tBodies[0];
        if (!head || !body) return;
        const falling = head.getAttribute("aria-sort") !== "descending";
        for (const other of this.all("th[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const column = Number(button.dataset.siSort);
        const value = (/** @type {HTMLElement} */ row) => Number(row.dataset.siValues?.split(" ")[column]);
        const rows = [...body.rows].sort((a, b) => value(b) - value(a));
        body.append(...(falling ? rows : rows.toReversed()));
    }

    /** Go to another request: with the whole toolbar where that can be, else with this panel. @param {HTMLElement} button */
    async go(button) {
        const { siOpen = "", siSwitch = "", siPanel = "" } = button.dataset;
        const djDebug = toolbar();
        try {
            if (djDebug?.dataset.renderPanelUrl && siSwitch) {
                const panels = await (await fetch(siSwitch)).json();
                takeFocus = true;
                switchToolbar(djDebug, siOpen, this.si, panels);
            } else {
                const { content } = await (await fetch(siPanel)).json();
                takeFocus = true;
                /** @type {HTMLElement} */ (this.si.parentElement).innerHTML = content;
                setUp();
            }
        } catch {
            this.say("That request is no longer kept.");
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

/** @param {Element | null | undefined} row */
function focusRow(row) {
    if (!(row instanceof HTMLElement)) return;
    row.tabIndex = -1;
    /** @type {HTMLElement} */ (row.querySelector(".si-opener, .si-link") ?? row).focus({ preventScroll: true });
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
        ensureStyles(djDebug, si.dataset.siCss ?? "");
        new Panel(si);
        if (takeFocus) /** @type {HTMLElement | null} */ (si.querySelector("[data-si-start]"))?.focus();
        takeFocus = false;
    }
}

setUp();
// The page may bring a new toolbar without a new document (htmx); a click comes before its panel.
document.addEventListener("click", setUp, true);
