// Copying a dispatch as JSON, wherever it is shown.

/** @param {string} text @param {HTMLElement} button beside which text can be selected */
export async function toClipboard(text, button) {
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
