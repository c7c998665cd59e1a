// The debug toolbar around the panel. It has no interface for scripts of others: what is used here
// is what its own panels rest on, the same in 7.0 and 8.0.

/** @returns {HTMLElement | null} the toolbar's own element, in the shadow root or out of it */
export function toolbar() {
    const around = document.getElementById("djDebugRoot")?.shadowRoot ?? document;
    return around.querySelector("#djDebug");
}

/**
 * Bring the style sheets in once, beside the toolbar's own and with its nonce: where the policy
 * lets those in, it lets these in. Where a link does not load, adopt its text.
 * @param {HTMLElement} djDebug
 * @param {string} hrefs their addresses, with blanks between
 */
export function ensureStyles(djDebug, hrefs) {
    const place = djDebug.parentNode;
    if (!hrefs || !place || place.querySelector("link[data-si-style]")) return;
    const model = /** @type {HTMLElement | null} */ (place.querySelector("link[nonce]"));
    for (const href of hrefs.split(" ")) {
        const link = document.createElement("link");
        link.nonce = model?.nonce ?? "";
        link.rel = "stylesheet";
        link.dataset.siStyle = "";
        link.addEventListener("error", () => adoptStyle(djDebug, href));
        link.href = href;
        djDebug.before(link);
    }
}

/** @param {HTMLElement} djDebug @param {string} href */
async function adoptStyle(djDebug, href) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(await (await fetch(href)).text());
    const scope = /** @type {Document | ShadowRoot} */ (djDebug.getRootNode());
    scope.adoptedStyleSheets = [...scope.adoptedStyleSheets, sheet];
}

/**
 * What the toolbar's History does: put another request's panels in place, then open this one.
 * @param {HTMLElement} djDebug
 * @param {string} requestId
 * @param {HTMLElement} si
 * @param {Record<string, {button: string, content: string}>} panels
 */
export function switchToolbar(djDebug, requestId, si, panels) {
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
