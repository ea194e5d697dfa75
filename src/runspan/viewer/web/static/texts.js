// Texts: copying what they are (not how they are shown), and unfolding long ones.
import { notice } from "./actions.js";

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

// A button with words says so in them; for one with a picture alone the notice says so.
export async function say(button, text) {
  const words = button.querySelector("span") ?? (button.querySelector("svg") ? null : button);
  if (words) button.dataset.words ??= words.textContent;
  const done = await copied(text);
  button.classList.add(done ? "done" : "refused");
  if (words) words.textContent = done ? "Copied" : "Not allowed";
  if (!done || !words) notice(done ? "Copied" : "The browser did not allow to copy");
  setTimeout(() => {
    button.classList.remove("done", "refused");
    if (words) words.textContent = button.dataset.words;
  }, 1600);
}

// Browsers keep their clipboard from pages that came over plain HTTP from another machine; the older way works there.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "hidden";
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus({ preventScroll: true });
    return done;
  }
}
