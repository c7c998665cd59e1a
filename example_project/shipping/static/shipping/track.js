// "Ask again" without loading the page anew. Without this script the link does the same.
const link = document.getElementById("ask-again");
const list = document.getElementById("answers");

link.addEventListener("click", async (click) => {
  click.preventDefault();
  list.replaceChildren();
  const response = await fetch(link.href, { headers: { Accept: "application/json" } });
  const { answers } = await response.json();
  list.replaceChildren(
    ...answers.map((answer) => {
      const item = document.createElement("li");
      item.textContent = answer;
      return item;
    }),
  );
});
