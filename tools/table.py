"""Plain tables: cells in columns, and measured numbers beside their budgets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


def columns(*rows: Sequence[object]) -> str:
    """One row a line, each column as wide as its widest cell. Numbers stand at the right, but for the first and last column."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(_aligned(row, widths)).rstrip() for row in cells)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
        is_number = cell.lstrip("<>=+- ")[:1].isdigit() and 0 < index < len(row) - 1
        yield cell.rjust(width) if is_number else cell.ljust(width)


def counted(said: str) -> Counter[str]:
    """What the last lines of runs of pytest say: `passed`, `failed` (with errors), `skipped`."""
    found = (
        re.findall(r"(\d+) (passed|failed|error|skipped)", line)
        for line in said.splitlines()
        if " in " in line
    )
    counts: Counter[str] = Counter()
    for number, word in (pair for pairs in found for pair in pairs):
        counts["failed" if word == "error" else word] += int(number)
    return counts


@dataclass(frozen=True)
class Row:
    """`budget` is the most it may be, in `unit` (with `at_least` the least); None: there is no budget, only the number.

    `bare`: how many bare OpenTelemetry spans (start, end, no attributes) of the same process the value costs.
    """

    what: str
    value: float
    unit: str = ""
    budget: float | None = None
    at_least: bool = False
    bare: float | None = None
    note: str = ""

    @property
    def is_held(self) -> bool:
        if self.budget is None:
            return True
        return self.value >= self.budget if self.at_least else self.value <= self.budget


HEAD = ("what", "measured", "budget", "bare span = 1", "", "")


def draw(rows: Iterable[Row]) -> str:
    return columns(HEAD, *map(_cells, rows))


def _cells(row: Row) -> tuple[str, ...]:
    budget, held = "", ""
    if row.budget is not None:
        budget = f"{'>=' if row.at_least else '<='} {_number(row.budget)}"
        held = "ok" if row.is_held else "MISSED"
    bare = "" if row.bare is None else f"{row.bare:.2f}"
    return row.what, f"{_number(row.value)} {row.unit}".rstrip(), budget, bare, held, row.note


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
