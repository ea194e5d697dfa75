// Runs before the page is drawn, so that it never flashes in the other theme.
"use strict";
{
  document.documentElement.classList.add("js"); // only with scripts is anything folded, as only they unfold it
  const known = localStorage.getItem("runspan.theme");
  if (known === "light" || known === "dark") document.documentElement.dataset.theme = known;
}
