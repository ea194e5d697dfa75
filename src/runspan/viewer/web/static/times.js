// Moments come as UTC; they are shown in the reader's zone and language.
const FULL = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const YEAR = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

export function showTimes(root) {
  const now = new Date();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = FULL.format(at);
    time.textContent = time.dataset.form === "full" ? FULL.format(at) : short(at, now);
  }
}

function short(at, now) {
  if (at.toDateString() === now.toDateString()) return CLOCK.format(at);
  return (at.getFullYear() === now.getFullYear() ? DAY : YEAR).format(at);
}

// The server cuts days where the reader's begin. The first page came before it could know; one with days comes again,
// and then this says true.
export function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const told = `runspan_zone=${zone}`;
  if (!zone || document.cookie.split("; ").includes(told)) return false;
  document.cookie = `${told}; path=/; max-age=31536000; samesite=lax`;
  const comesAgain = document.cookie.split("; ").includes(told) && zone !== "UTC" && document.querySelector("[data-days]");
  if (comesAgain) location.reload();
  return comesAgain;
}
