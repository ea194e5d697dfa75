"""What `make test-endings` prints: for each server the spans that arrived, and its ends with and without runspan."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.endings.rounds import Ended

HEAD = ("ended by", "spans", "killed by the server", "status without", "with", "median s without", "with")
rows: list[Row] = []


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    arrived: int
    bare: Sequence[Ended]
    traced: Sequence[Ended]

    def cells(self) -> tuple[str, ...]:
        statuses = (" ".join(sorted({str(e.code) for e in ended})) for ended in (self.bare, self.traced))
        seconds = (f"{statistics.median(e.seconds for e in ended):.2f}" for ended in (self.bare, self.traced))
        killed = " and ".join(str(sum(len(e.killed) for e in ended)) for ended in (self.bare, self.traced))
        return (self.name, f"{self.arrived} of {30 * len(self.traced)}", killed, *statuses, *seconds)


def text() -> str:
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )
