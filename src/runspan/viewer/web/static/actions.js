// What changes the store: buttons that delete or keep, and files that are dropped on the page or chosen.
const NOTICE_MS = 6000;
const SAID = "runspan.said"; // what the next page tells

export function actions() {
  const said = sessionStorage.getItem(SAID);
  sessionStorage.removeItem(SAID);
  if (said) notice(said);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-method]");
    if (!button || (button.dataset.ask && !confirm(button.dataset.ask))) return;
    button.disabled = true;
    const answer = await fetch(button.dataset.url, { method: button.dataset.method });
    if (!answer.ok) {
      button.disabled = false;
      return notice((await answer.json().catch(() => ({}))).error ?? `the viewer answered ${answer.status}`);
    }
    if (button.dataset.method === "DELETE") sessionStorage.setItem(SAID, "Deleted");
    if (button.dataset.then) location.assign(button.dataset.then);
    else location.reload();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("input[type=file][data-import]")) take(event.target.files);
  });
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  for (const name of ["dragleave", "drop"]) document.addEventListener(name, () => document.body.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
}

async function take(files) {
  let spans = 0;
  for (const file of files) {
    notice(`reading ${file.name} …`);
    const answer = await fetch("/api/v1/import", { method: "POST", body: file });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) return notice(`${file.name}: ${said.error ?? answer.status}`);
    spans += said.spans;
  }
  notice(`${spans} spans taken`);
  if (spans && !document.getElementById("tree")) location.assign("/traces");
}

let timer;
export function notice(text) {
  const place = document.getElementById("notice");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (place.hidden = true), NOTICE_MS);
}
