import { toClipboard } from "./display/copy.js";

// On a telephone the filters would push the list out of sight; what is set stands below them.
if (matchMedia("(max-width: 767px)").matches) {
    document.querySelector(".sa-filters")?.removeAttribute("open");
}

// Copies the data of a page that a button names; the button is shown by this script alone.
const said = document.querySelector("[data-sa-said]");

for (const button of document.querySelectorAll("[data-sa-copy]")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
        const data = JSON.parse(document.getElementById(button.dataset.saCopy).textContent);
        let answer = "Copied";
        try {
            await toClipboard(JSON.stringify(data, null, 2), button);
        } catch {
            answer = "Copying was refused";
        }
        button.textContent = answer;
        if (said) said.textContent = answer;
        setTimeout(() => { button.textContent = label; }, 2000);
    });
}
