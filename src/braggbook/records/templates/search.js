"use strict";
const form = document.getElementById("search");
const box = document.getElementById("words");
const said = document.getElementById("found");
const rows = Array.from(document.querySelectorAll("#records > li"));
function look() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const row of rows) {
    const has = words.every((word) => row.dataset.words.includes(word));
    row.hidden = !has;
    found += has ? 1 : 0;
  }
  said.textContent = words.length ? found + " of " + rows.length + " records" : "";
}
form.hidden = false;
document.getElementById("without").hidden = true;
form.addEventListener("submit", (event) => event.preventDefault());
box.addEventListener("input", look);
look();
