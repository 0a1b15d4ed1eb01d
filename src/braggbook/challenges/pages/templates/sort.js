"use strict";
for (const table of document.querySelectorAll("table[data-sorts]")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const status = document.getElementById(table.dataset.sorts);
  const compare = (one, other) => (typeof one === "number" ? one - other : one.localeCompare(other, "en"));
  const valueOf = (row, at) => {
    const given = row.cells[at].dataset.value;
    return given === "" || Number.isNaN(Number(given)) ? given : Number(given);
  };
  heads.forEach((head, at) => {
    if (!head.dataset.first) return;
    const label = head.querySelector(".label");
    const button = document.createElement("button");
    button.type = "button";
    label.replaceWith(button);
    button.append(label);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const next = now ? (now === "ascending" ? "descending" : "ascending") : head.dataset.first;
      const sign = next === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row, place) => ({ row, place, value: valueOf(row, at) }));
      const texts = rows.some((one) => typeof one.value === "string" && one.value !== "");
      rows.sort((one, other) => {
        if (one.value === "" || other.value === "") return (one.value === "") - (other.value === "") || one.place - other.place;
        const both = texts ? [String(one.value), String(other.value)] : [one.value, other.value];
        return sign * compare(...both) || one.place - other.place;
      });
      body.append(...rows.map((one) => one.row));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", next);
      status.textContent = `sorted by ${label.textContent.trim()}, ${next}`;
    });
  });
}
