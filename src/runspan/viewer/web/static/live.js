// New spans show by themselves: when the store has changed, the page reads itself again and swaps what is marked
// `data-live`. The server escaped everything, and a parsed document runs no scripts.
const EVERY_MS = 1500;

export function watch(refreshed) {
  const light = document.getElementById("live");
  let version = null;
  let isAway = false;

  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch(document.body.dataset.liveUrl);
      if (!answer.ok) throw new Error(answer.status);
      const now = (await answer.json()).version;
      if (version !== null && (now !== version || isAway)) await refresh(refreshed);
      version = now;
      isAway = false;
    } catch {
      isAway = true;
    }
    document.getElementById("gone").hidden = !isAway;
    light.hidden = false;
    light.classList.toggle("off", isAway);
    light.lastElementChild.textContent = isAway ? "viewer is gone" : "live";
  }

  async function again() {
    await look();
    setTimeout(again, EVERY_MS);
  }
  document.addEventListener("visibilitychange", look);
  again();
}

// A selector that finds an element in a fresh copy of its part: the focus stays where it was.
function likeness(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const name = ["href", "value", "data-url", "data-copy"].find((one) => element.getAttribute(one));
  return name && `${element.localName}[${name}="${CSS.escape(element.getAttribute(name))}"]`;
}

async function refresh(refreshed) {
  // While something in it is chosen for copying, a part is left as it is.
  if (!document.getSelection().isCollapsed) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  let hasChanged = false;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!other || other.outerHTML === part.dataset.seen) continue;
    const seen = other.outerHTML;
    if (part.dataset.seen !== undefined || part.textContent !== other.textContent) {
      const held = part.contains(document.activeElement) ? likeness(document.activeElement) : null;
      part.replaceChildren(...other.childNodes);
      if (held) part.querySelector(held)?.focus({ preventScroll: true });
      hasChanged = true;
    }
    part.dataset.seen = seen;
  }
  if (hasChanged) refreshed(document);
}
