// The rows of the timeline: which are open, and which the filters leave in sight.

/**
 * @typedef {object} Filter
 * @property {string} text lower case; "" lets everything pass
 * @property {number} ms milliseconds a row must have taken at least
 * @property {boolean} failures only what failed
 * @property {boolean} on whether anything is filtered at all
 */

/**
 * A row. `wish` is what the reader opened, `open` what is open now: a filter opens more, and gives
 * it back when it is cleared. The optional ones are what the filter last said of it.
 * @typedef {object} Entry
 * @property {HTMLTableRowElement} row
 * @property {string} kind
 * @property {Entry | undefined} parent
 * @property {boolean} filtered false: it only follows its parent
 * @property {boolean} loose a dispatch under its receiver: in sight whether that is open or not
 * @property {boolean} open
 * @property {boolean} wish
 * @property {string | null} words
 * @property {boolean} [named] it matches by itself
 * @property {boolean} [within] its words match, or those of a row above it
 * @property {boolean} [passes]
 * @property {boolean} [holds] something below it passes
 * @property {boolean} [opens] something below it matches by itself, and is out of sight unless this opens
 * @property {boolean} [through] the same, but under a dispatch that is in sight anyway
 * @property {boolean} [seen]
 */

const FILTERED = ["dispatch", "call", "notcalled"];

/**
 * Whether a row passes what does not depend on words. The threshold never hides what failed, was
 * skipped, or was received by nobody.
 * @param {HTMLElement} row
 * @param {Filter} filter
 */
export function passesFigures(row, filter) {
    if (filter.failures && row.dataset.siFailed === undefined) return false;
    return row.dataset.siKeep !== undefined || Number(row.dataset.siMs) >= filter.ms;
}

/**
 * The words a row is found by, gathered once: all but its figures, with its payload in one line
 * and those of rows that are not in the page yet.
 * @param {Entry} entry
 * @returns {string}
 */
function wordsOf(entry) {
    if (entry.words !== null) return entry.words;
    const { row } = entry;
    const facts = /** @type {HTMLElement | null} */ (row.nextElementSibling);
    const own = facts?.dataset.siKind === "facts" && facts.dataset.siParent === row.dataset.siId;
    const payload = own ? facts.querySelector(".si-payload > summary")?.textContent : "";
    const cells = [...row.cells].filter((cell) => !cell.matches(".si-lane-cell, .djdt-time"));
    entry.words = [...cells.map((cell) => cell.textContent), payload, row.dataset.siSearch].join(" ").toLowerCase();
    return entry.words;
}

export class Timeline {
    /** @param {HTMLElement | null} body the tbody; without one the timeline is empty */
    constructor(body) {
        this.body = body;
        this.entries = /** @type {Entry[]} */ ([]);
        this.byId = /** @type {Map<string | undefined, Entry>} */ (new Map());
        this.index();
    }

    /** Read the rows anew, keeping what is known of those that were there. */
    index() {
        const known = this.byId;
        this.byId = new Map();
        const rows = /** @type {HTMLTableRowElement[]} */ ([...(this.body?.children ?? [])]);
        this.entries = rows.map((row) => {
            const { siId, siParent, siKind = "" } = row.dataset;
            const parent = this.byId.get(siParent);
            const open = row.querySelector(".si-opener")?.getAttribute("aria-expanded") === "true";
            const entry = known.get(siId) ?? { row, kind: siKind, open, wish: open, words: null };
            Object.assign(entry, {
                parent,
                filtered: FILTERED.includes(siKind),
                loose: siKind === "dispatch" && parent?.kind === "call",
            });
            this.byId.set(siId, /** @type {Entry} */ (entry));
            return /** @type {Entry} */ (entry);
        });
    }

    /** Open what holds a match, and give back what an earlier filter opened. @param {Filter} filter */
    refilter(filter) {
        this.judge(filter);
        for (const entry of this.entries) {
            const searched = filter.text !== "" || filter.failures;
            entry.open = entry.wish || (searched && !!entry.opens);
        }
        this.paint(filter);
    }

    /** Decide which rows pass, and which hold rows that do. @param {Filter} filter */
    judge(filter) {
        for (const entry of this.entries) {
            const figures = entry.filtered && passesFigures(entry.row, filter);
            const named = filter.text === "" || (entry.filtered && wordsOf(entry).includes(filter.text));
            entry.within = named || !!entry.parent?.within;
            entry.named = figures && named;
            entry.passes = figures && entry.within;
            entry.holds = entry.opens = entry.through = false;
        }
        for (const entry of this.entries.toReversed()) {
            const { parent } = entry;
            if (!parent) continue;
            parent.holds ||= entry.passes || entry.holds;
            if (!entry.named && !entry.opens && !entry.through) continue;
            if (entry.loose) parent.through = true;
            else parent.opens = true;
        }
    }

    /** Show the rows that pass and whose parents are open. @param {Filter} filter */
    paint(filter) {
        for (const entry of this.entries) {
            const { parent, row } = entry;
            const reached = !parent || (!!parent.seen && (parent.open || entry.loose));
            entry.seen = reached && (!filter.on || !entry.filtered || !!(entry.passes || entry.holds));
            if (row.hidden === entry.seen) row.hidden = !entry.seen;
            row.querySelector(".si-opener")?.setAttribute("aria-expanded", String(entry.open));
        }
        if (filter.on) this.hideEmptyHeadings();
    }

    hideEmptyHeadings() {
        for (const [at, entry] of this.entries.entries()) {
            if (entry.kind !== "heading") continue;
            const rest = this.entries.slice(at + 1).filter((other) => other.parent === entry.parent);
            const end = rest.findIndex((other) => !other.filtered);
            const own = end < 0 ? rest : rest.slice(0, end);
            entry.row.hidden ||= own.length > 0 && !own.some((other) => other.seen);
        }
    }

    /** How many dispatch rows the filter leaves, in closed rows too, and how many there are. */
    tally() {
        const rows = this.entries.filter((entry) => entry.kind === "dispatch");
        return { left: rows.filter((entry) => entry.passes || entry.holds).length, total: rows.length };
    }

    /** Open a row and all above it. @param {Entry} entry */
    reveal(entry) {
        entry.wish = true;
        for (let at = entry; at.parent; at = at.parent) at.parent.wish ||= !at.loose;
    }

    /** The last row of what belongs to a row itself, after which its children go. @param {Entry} entry */
    foot(entry) {
        const facts = this.entries.findLast((other) => other.parent === entry && other.kind === "facts");
        return (facts ?? entry).row;
    }
}
