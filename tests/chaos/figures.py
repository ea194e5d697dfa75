"""The table that `make chaos` ends with: one line a case. What a case counts here, it has also asserted."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

PATIENCE_S = 30.0
OURS = ("runspan-", "OtelBatch", "OtelPeriodic")
HEAD = ("case", "runs", "spans expected", "found", "seconds", "threads left")


@dataclass
class Figure:
    """What one case has done; the one that runs is `now[-1]`."""

    name: str
    runs: int = 0
    expected: int = 0
    found: int = 0
    threads: int = 0
    begun_s: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def add(self, runs: int, expected: int, found: int) -> None:
        self.runs += runs
        self.expected += expected
        self.found += found

    def end(self) -> None:
        self.seconds = time.monotonic() - self.begun_s
        self.threads = threads_left()

    def row(self) -> tuple[str, ...]:
        counts = (f"{n:,}" for n in (self.runs, self.expected, self.found))
        return (self.name, *counts, f"{self.seconds:.1f}", str(self.threads))


now: list[Figure] = []


def count(*, runs: int, expected: int, found: int) -> None:
    if now:
        now[-1].add(runs, expected, found)


def threads_left() -> int:
    """Threads of ours and of our provider, once they had time to leave."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        left = sum(thread.name.startswith(OURS) for thread in threading.enumerate())
        if not left or time.monotonic() >= deadline_s:
            return left
        time.sleep(0.01)


def table(figures: list[Figure]) -> str:
    rows = [HEAD, *(figure.row() for figure in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    first = (row[0].ljust(widths[0]) for row in rows)
    rest = ("  ".join(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)) for row in rows)
    return "\n".join(f"{name}  {numbers}" for name, numbers in zip(first, rest, strict=True))
