// Lists: moving by keys, and choosing two runs to compare. The choice outlives a page turn.
const KEY = "runspan.chosen";

export function list() {
  const tray = document.getElementById("tray");
  let chosen = tray ? JSON.parse(sessionStorage.getItem(KEY) ?? "[]") : [];
  let at = -1;

  function rows() {
    return [...document.querySelectorAll("[data-row]")];
  }

  function move(by) {
    const all = rows();
    if (!all.length) return;
    all[at]?.classList.remove("at");
    at = Math.min(Math.max(at + by, 0), all.length - 1);
    all[at].classList.add("at");
    all[at].scrollIntoView({ block: "nearest" });
  }

  function show() {
    if (!tray) return;
    for (const box of document.querySelectorAll(".pick input")) box.checked = chosen.includes(box.value);
    tray.hidden = chosen.length === 0;
    document.getElementById("tray-count").textContent = chosen.length === 1 ? "1 run chosen; choose one more" : "2 runs chosen (clear to choose others)";
    document.getElementById("compare").disabled = chosen.length !== 2;
    for (const box of document.querySelectorAll(".pick input")) box.disabled = chosen.length === 2 && !box.checked;
    sessionStorage.setItem(KEY, JSON.stringify(chosen));
  }

  function choose(value, isOn) {
    chosen = chosen.filter((one) => one !== value);
    if (isOn && chosen.length < 2) chosen = [...chosen, value];
    show();
  }

  function compare() {
    if (chosen.length !== 2) return;
    const pair = chosen.map((one) => `run=${encodeURIComponent(one)}`).join("&");
    sessionStorage.removeItem(KEY);
    location.assign(`/compare?${pair}`);
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches(".pick input")) choose(event.target.value, event.target.checked);
  });
  document.getElementById("chosen")?.addEventListener("submit", (event) => {
    event.preventDefault();
    compare();
  });
  document.getElementById("unchoose")?.addEventListener("click", () => {
    chosen = [];
    show();
  });
  show();

  const keys = {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    Enter: () => rows()[at]?.querySelector(".open")?.click(),
    x: () => rows()[at]?.querySelector(".pick input")?.click(),
    c: compare,
  };
  return {
    key(event) {
      const act = keys[event.key];
      const isLink = event.key === "Enter" && event.target.closest("a, button, summary");
      if (!act || isLink || (rows().length === 0 && event.key !== "c")) return false;
      act();
      return true;
    },
    refreshed() {
      rows()[at]?.classList.add("at");
      show();
    },
  };
}
