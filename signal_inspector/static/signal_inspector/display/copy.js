// Copying a dispatch as JSON, wherever it is shown.

/**
 * Fetch JSON and put it on the clipboard; fails if either does not work.
 * @param {string} url
 * @param {HTMLElement} button beside which text can be selected
 */
export async function copyFrom(url, button) {
    const text = fetchJson(url);
    try {
        // Safari lets a click write what it began to fetch, but nothing that is there only later.
        const blob = text.then((json) => new Blob([json], { type: "text/plain" }));
        await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
    } catch {
        await toClipboard(await text, button);
    }
}

/** @param {string} url @returns {Promise<string>} */
async function fetchJson(url) {
    const answer = await fetch(url);
    const type = answer.headers.get("content-type") ?? "";
    // The page of a login is no JSON, and comes after a redirect with status 200.
    if (!answer.ok || !type.startsWith("application/json")) throw new Error(String(answer.status));
    return answer.text();
}

/** @param {string} text @param {HTMLElement} button */
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
