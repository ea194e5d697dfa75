// Lists: moving by keys, and choosing two runs to compare. The choice outlives a page turn.
const KEY = "runspan.chosen";

export function list() {
  const tray = document.getElementById("tray");
  let chosen = tray ? JSON.parse(sessionStorage.getItem(KEY) ?? "[]") : [];

  function rows() {
    return [...document.querySelectorAll("[data-row]")];
  }

  // The row with the focus is the current one, so that keys of ours and Tab go on from the same place.
  const current = () => document.activeElement.closest("[data-row]");

  function move(by) {
    const all = rows();
    const next = all[Math.min(Math.max(all.indexOf(current()) + by, 0), all.length - 1)];
    next.querySelector(".open").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
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
    x: () => current()?.querySelector(".pick input")?.click(),
    c: compare,
  };
  return {
    key(event) {
      const act = keys[event.key];
      if (!act || (rows().length === 0 && event.key !== "c")) return false;
      act();
      return true;
    },
    refreshed: show,
  };
}
