// The part of the trace's time that the waterfall shows: every bar is an SVG of 100 units, so zooming is one viewBox for all.
const TICKS = 5;
const SMALLEST_NS = 1000;

export function zoom() {
  let from = 0;
  let to = 100;
  const tree = () => document.getElementById("tree");
  const total = () => Number(tree().dataset.total);

  function set(newFrom, newTo) {
    const least = Math.min(100, (SMALLEST_NS / total()) * 100);
    const width = Math.min(100, Math.max(newTo - newFrom, least));
    from = Math.min(Math.max(newFrom, 0), 100 - width);
    to = from + width;
    draw();
  }

  function draw() {
    const width = to - from;
    for (const svg of document.querySelectorAll("#tree .bar svg")) svg.setAttribute("viewBox", `${from} 0 ${width} 14`);
    const window = document.getElementById("window");
    window.setAttribute("x", from);
    window.setAttribute("width", width);
    const isWhole = width > 99.999;
    window.classList.toggle("whole", isWhole);
    if (isWhole && !tree().dataset.zoomed) return; // the server's own ticks are right
    tree().dataset.zoomed = "1";
    const step = ((width / 100) * total()) / TICKS;
    document.querySelectorAll("#axis i").forEach((tick, at) => {
      const ns = (from / 100) * total() + at * step;
      tick.textContent = ns ? said(ns, step) : "0";
    });
  }

  function fit(row) {
    const bars = [...(row?.querySelectorAll(".bar rect") ?? [])];
    if (!bars.length) return;
    const starts = bars.map((bar) => Number(bar.getAttribute("x")));
    const ends = bars.map((bar) => Number(bar.getAttribute("x")) + Number(bar.getAttribute("width")));
    const start = Math.min(...starts);
    const end = Math.max(...ends);
    const air = (end - start) * 0.03;
    set(start - air, end + air);
  }

  function by(factor, centre = (from + to) / 2) {
    set(centre - (centre - from) * factor, centre + (to - centre) * factor);
  }

  // Dragging on the small picture chooses what is shown; a click there moves the window.
  let began = null;
  const at = (event) => {
    const box = document.getElementById("mini").getBoundingClientRect();
    return Math.min(Math.max(((event.clientX - box.left) / box.width) * 100, 0), 100);
  };
  const frame = document.getElementById("waterfall");
  frame.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("#mini")) return;
    began = at(event);
    frame.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => {
    if (began === null) return;
    const now = at(event);
    if (Math.abs(now - began) > 0.5) set(Math.min(began, now), Math.max(began, now));
  });
  frame.addEventListener("pointerup", (event) => {
    if (began === null) return;
    const half = (to - from) / 2;
    if (Math.abs(at(event) - began) <= 0.5 && half < 50) set(began - half, began + half);
    began = null;
  });
  frame.addEventListener(
    "wheel",
    (event) => {
      const bar = event.target.closest(".bar");
      if (!bar || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      const box = bar.getBoundingClientRect();
      by(event.deltaY > 0 ? 1.25 : 0.8, from + ((event.clientX - box.left) / box.width) * (to - from));
    },
    { passive: false },
  );
  return { fit, by, draw, all: () => set(0, 100) };
}

// With as many digits as tell one tick from the next.
function said(ns, step) {
  const [unit, size] = ns >= 1e9 ? ["s", 1e9] : ns >= 1e6 ? ["ms", 1e6] : ["µs", 1e3];
  const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / size)) + (size === 1e9 ? 1 : 0)));
  return `${(ns / size).toFixed(digits)} ${unit}`;
}
