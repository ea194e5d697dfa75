// Where the details stand: below the waterfall, beside it with a movable border, or, on a phone, in a sheet over it.
const PLACE = "runspan.details";
const WIDTH = "runspan.details.width";
const NARROW = matchMedia("(max-width: 900px)");

export function layout(panel) {
  const split = document.getElementById("split");
  const button = document.getElementById("place");
  const divider = document.getElementById("divider");

  function show() {
    const isBeside = localStorage.getItem(PLACE) === "beside";
    split.classList.toggle("beside", isBeside);
    button.textContent = isBeside ? "Details below" : "Details beside";
    resize(Number(localStorage.getItem(WIDTH)) || 46);
  }

  function resize(percent) {
    const width = Math.min(Math.max(percent, 20), 75);
    split.style.setProperty("--details", `${width}%`);
    divider.setAttribute("aria-valuenow", String(Math.round(width)));
    localStorage.setItem(WIDTH, String(width));
  }

  function toggle() {
    localStorage.setItem(PLACE, split.classList.contains("beside") ? "below" : "beside");
    show();
  }

  function open() {
    if (!NARROW.matches) return;
    panel.classList.add("sheet");
    for (const close of panel.querySelectorAll("[data-close]")) close.hidden = false;
    panel.focus();
  }

  const isOpen = () => panel.classList.contains("sheet");
  function close() {
    if (!isOpen()) return;
    panel.classList.remove("sheet");
    for (const button of panel.querySelectorAll("[data-close]")) button.hidden = true;
    document.querySelector('#tree [aria-selected="true"]')?.focus();
  }

  button.addEventListener("click", toggle);
  panel.addEventListener("click", (event) => event.target.closest("[data-close]") && close());
  divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = split.getBoundingClientRect();
    resize(((box.right - event.clientX) / box.width) * 100);
  });
  divider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: 4, ArrowRight: -4 }[event.key];
    if (by) resize(Number(localStorage.getItem(WIDTH)) + by);
  });
  show();
  return { toggle, open, close, isOpen };
}
