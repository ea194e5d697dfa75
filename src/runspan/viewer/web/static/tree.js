// The waterfall: folding, choosing a span, and moving by keys. The chosen span stands in the address, to be shared.
import { showTimes } from "./times.js";
import { zoom } from "./zoom.js";
import { layout } from "./layout.js";

export function tree() {
  const frame = document.getElementById("waterfall");
  const panel = document.getElementById("panel");
  const closed = new Set();
  const view = zoom();
  const place = layout(panel);

  const root = () => document.getElementById("tree"); // a refresh puts a new one in
  const rows = () => [...root().children];
  const level = (row) => Number(row.getAttribute("aria-level"));
  const current = () => root().querySelector('[aria-selected="true"]') ?? root().firstElementChild;
  const shown = () => rows().filter((row) => !row.hidden);

  function below(row) {
    const found = [];
    for (let next = row.nextElementSibling; next && level(next) > level(row); next = next.nextElementSibling) found.push(next);
    return found;
  }

  // One walk from top to bottom: a row is hidden below the nearest closed one.
  function draw() {
    let hiddenBelow = Infinity;
    for (const row of rows()) {
      const own = level(row);
      row.hidden = own > hiddenBelow;
      if (row.hidden) continue;
      hiddenBelow = Infinity;
      if (!row.hasAttribute("aria-expanded")) continue;
      const isOpen = !closed.has(row.id);
      row.setAttribute("aria-expanded", String(isOpen));
      row.querySelector(".folded").textContent = isOpen ? "" : `+${below(row).length}`;
      if (!isOpen) hiddenBelow = own;
    }
  }

  function fold(row, isOpen) {
    if (isOpen) closed.delete(row.id);
    else closed.add(row.id);
    draw();
  }

  function foldAll(isOpen) {
    closed.clear();
    if (!isOpen) for (const row of root().querySelectorAll("[aria-expanded]")) if (level(row) > 1) closed.add(row.id);
    draw();
    if (current().hidden) select(shown().findLast((row) => level(row) < level(current())) ?? shown()[0]);
  }

  function reveal(row) {
    let own = level(row);
    for (let at = row.previousElementSibling; at; at = at.previousElementSibling) {
      if (level(at) < own) {
        closed.delete(at.id);
        own = level(at);
      }
    }
    draw();
  }

  let asked = 0;
  async function select(row, isTap = false) {
    if (!row) return;
    if (row.hidden) reveal(row);
    for (const other of root().querySelectorAll("[aria-selected]")) {
      other.removeAttribute("aria-selected");
      other.tabIndex = -1;
    }
    row.setAttribute("aria-selected", "true");
    row.tabIndex = 0;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    if (!row.dataset.id) return;
    const mine = ++asked;
    history.replaceState(null, "", `?span=${row.dataset.id}`);
    const answer = await fetch(`/trace/${root().dataset.trace}/span/${row.dataset.id}?from=${root().dataset.from}`);
    if (!answer.ok || mine !== asked) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    showTimes(fresh);
    if (mine !== asked) return;
    panel.replaceChildren(...fresh.body.childNodes);
    panel.scrollTop = 0;
    if (isTap) place.open();
  }

  function step(by) {
    const all = shown();
    select(all[Math.min(Math.max(all.indexOf(current()) + by, 0), all.length - 1)]);
  }

  frame.addEventListener("click", (event) => {
    const row = event.target.closest("[role=row]");
    if (!row || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (event.target.closest(".fold")) fold(row, closed.has(row.id));
    else select(row, true);
  });
  frame.addEventListener("dblclick", (event) => {
    const row = event.target.closest("[aria-expanded]");
    if (row) fold(row, closed.has(row.id));
  });
  panel.addEventListener("click", (event) => {
    const link = event.target.closest("[data-span]");
    const row = link && document.getElementById(`s-${link.dataset.span}`);
    if (!row) return;
    event.preventDefault();
    select(row);
  });

  const left = () => {
    const row = current();
    if (row.getAttribute("aria-expanded") === "true") fold(row, false);
    else select(rows().slice(0, rows().indexOf(row)).findLast((one) => level(one) < level(row)));
  };
  const right = () => {
    if (current().getAttribute("aria-expanded") === "false") fold(current(), true);
    else if (current().hasAttribute("aria-expanded")) step(1);
  };
  const error = () => {
    const all = rows();
    const from = all.indexOf(current());
    select([...all.slice(from + 1), ...all.slice(0, from)].find((row) => row.classList.contains("bad")));
  };
  const follow = (id) => document.getElementById(id)?.click();
  const keys = {
    j: () => step(1),
    ArrowDown: () => step(1),
    k: () => step(-1),
    ArrowUp: () => step(-1),
    Home: () => step(-Infinity),
    End: () => step(Infinity),
    ArrowLeft: (event) => (event.shiftKey ? foldAll(false) : left()),
    ArrowRight: (event) => (event.shiftKey ? foldAll(true) : right()),
    Enter: () => panel.focus(),
    e: error,
    z: () => view.fit(current()),
    0: () => view.all(),
    "+": () => view.by(0.5),
    "=": () => view.by(0.5),
    "-": () => view.by(2),
    d: () => place.toggle(),
    "[": () => follow("older"),
    "]": () => follow("newer"),
    Escape: () => place.close(),
  };
  const scrolled = root();
  scrolled.scrollTop = current().offsetTop - scrolled.offsetTop - scrolled.clientHeight / 2;
  document.querySelector(".tools").addEventListener("click", (event) => {
    const act = { fit: "z", in: "+", out: "-", all: "0" }[event.target.closest("[data-zoom]")?.dataset.zoom];
    if (act) keys[act]();
  });
  return {
    key(event) {
      if (event.key === "Escape" && panel.contains(event.target)) return place.close(), current().focus(), true;
      if (panel.contains(event.target) && event.target !== document.body) return false;
      if (event.target.closest("#divider, .tools")) return false;
      if (event.key === "Enter" && event.target.closest("a, button, summary, pre")) return false;
      const act = keys[event.key];
      if (!act) return false;
      act(event);
      return true;
    },
    refreshed() {
      draw();
      view.draw();
    },
  };
}
