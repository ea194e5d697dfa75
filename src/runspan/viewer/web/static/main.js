// What every page needs: times in the reader's zone, the theme, the keyboard, and the page's own part.
import { showTimes, tellZone } from "./times.js";
import { watch } from "./live.js";
import { list } from "./list.js";
import { tree } from "./tree.js";
import { say, texts } from "./texts.js";
import { actions } from "./actions.js";

const page = document.getElementById("tree") ? tree() : list();

const THEMES = ["", "light", "dark"];
const theme = document.getElementById("theme");
const root = document.documentElement;
function nameTheme() {
  theme.querySelector("span").textContent = `Theme: ${root.dataset.theme ?? "system"}`;
}
nameTheme();
theme.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "") + 1) % THEMES.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  localStorage.setItem("runspan.theme", next);
  nameTheme();
});

const help = document.getElementById("help");
document.getElementById("keys").addEventListener("click", () => help.showModal());

document.getElementById("copy-link")?.addEventListener("click", ({ currentTarget }) => say(currentTarget, location.href));
texts();
actions();

// Back to the list as it was left, filters and all.
const back = document.getElementById("back");
const came = document.referrer && new URL(document.referrer);
if (back && came && came.origin === location.origin && came.pathname === new URL(back.href).pathname) back.href = came.href;

// A choice filters at once; the button is there for those without scripts.
for (const select of document.querySelectorAll(".filters select, .filters input[type=checkbox]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
// A day that is typed passes through years like 0002 first.
for (const day of document.querySelectorAll(".filters input[type=date]")) {
  day.addEventListener("change", () => (day.value === "" || day.value >= "1970") && day.form.requestSubmit());
}
for (const form of document.querySelectorAll(".filters")) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
}

const PLACES = { o: "/overview", r: "/", t: "/traces", h: "/threads", s: "/sessions" };
let goes = false;
document.addEventListener("keydown", (event) => {
  const inField = event.target.closest("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape" && inField) inField.blur();
  if (inField || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (goes && PLACES[event.key]) location.assign(PLACES[event.key]);
  goes = event.key === "g";
  if (event.key === "?") help.showModal();
  else if (event.key === "/" && document.getElementById("search")) document.getElementById("search").focus();
  else if (!page.key(event)) return;
  event.preventDefault();
});

showTimes(document);
if (!tellZone()) {
  watch((fresh) => {
    showTimes(fresh);
    page.refreshed();
  });
}
