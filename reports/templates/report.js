// Tables can be read without this; with it they sort by a column and filter by words.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent.trim();
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const numeric = !Number.isNaN(Number(x)) && !Number.isNaN(Number(y));
        return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y));
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
  if (body.rows.length > 8) table.closest(".wide").before(filterOf(body));
}
function filterOf(body) {
  const [line, box, count] = ["p", "input", "output"].map((tag) => document.createElement(tag));
  line.className = "filter";
  box.type = "search";
  box.placeholder = "Filter rows, e.g. pgd";
  box.setAttribute("aria-label", "Filter the rows of the table");
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/);
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = [...body.rows].filter((row) => !row.hidden).length;
    count.textContent = `${shown} of ${body.rows.length} rows`;
  });
  line.append(box, " ", count);
  return line;
}
const folds = [...document.querySelectorAll("details:not(.long):not([open])")];
for (const [when, open] of [["beforeprint", true], ["afterprint", false]]) {
  addEventListener(when, () => folds.forEach((fold) => (fold.open = open)));
}
