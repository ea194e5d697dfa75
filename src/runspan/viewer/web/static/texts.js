// Texts: copying what they are (not how they are shown), and unfolding long ones.
export function texts() {
  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      event.preventDefault();
      event.stopPropagation();
      await say(copy, copy.dataset.copy || sourceOf(copy.closest(".copyable")));
    }
    const unfold = event.target.closest("[data-unfold]");
    if (unfold) unfold.parentElement.classList.add("is-open");
  });
}

function sourceOf(box) {
  return box.dataset.source ?? box.querySelector("pre, .text").textContent;
}

export async function say(button, text) {
  const label = button.querySelector("span") ?? button;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.classList.add("done");
    if (label !== button || before) label.textContent = "Copied";
  } catch {
    label.textContent = "Not allowed";
  }
  setTimeout(() => {
    button.classList.remove("done");
    if (label !== button || before) label.textContent = before;
  }, 1600);
}
