import { copyFrom } from "./display/copy.js";

// On a telephone the filters would push the list out of sight; what is set stands below them.
if (matchMedia("(max-width: 767px)").matches) {
    document.querySelector(".sa-filters")?.removeAttribute("open");
}

// Copies what is found at the URL that a button names; the button is shown by this script alone.
const said = document.querySelector("[data-sa-said]");

for (const button of document.querySelectorAll("[data-sa-copy]")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
        let answer = "Copied";
        try {
            await copyFrom(button.dataset.saCopy, button);
        } catch {
            answer = "Copying failed";
        }
        button.textContent = answer;
        if (said) said.textContent = answer;
        setTimeout(() => { button.textContent = label; }, 2000);
    });
}
