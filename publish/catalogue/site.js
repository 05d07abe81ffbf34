"use strict";
(() => {
  const wordsOf = (text) => text.normalize("NFC").toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
  const search = document.querySelector("[data-search]");
  if (!search) return;
  const input = search.querySelector("input");
  const said = search.querySelector("[aria-live]");
  const items = [...document.querySelectorAll("[data-words]")].map((item) => {
    return { item, words: wordsOf(item.textContent + " " + item.dataset.words) };
  });
  const groups = [...document.querySelectorAll("[data-group]")];
  search.hidden = false;
  const show = () => {
    const wanted = wordsOf(input.value);
    let found = 0;
    for (const { item, words } of items) {
      item.hidden = !wanted.every((begun) => words.some((word) => word.startsWith(begun)));
      if (!item.hidden) found += 1;
    }
    for (const group of groups) group.hidden = !group.querySelector("[data-words]:not([hidden])");
    said.textContent = wanted.length ? (found === 1 ? "1 träff" : found + " träffar") : "";
  };
  input.addEventListener("input", show);
  show();
})();
