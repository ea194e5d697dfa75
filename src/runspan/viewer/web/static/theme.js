// Runs before the page is drawn, so that it never flashes in the other theme.
"use strict";
{
  const known = localStorage.getItem("runspan.theme");
  if (known === "light" || known === "dark") document.documentElement.dataset.theme = known;
}
