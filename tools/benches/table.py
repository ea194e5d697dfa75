"""One measured number beside its budget, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


HEAD = ("what", "measured", "budget", "bare span = 1", "", "")


def draw(rows: Iterable[Row]) -> str:
    """A table in plain text, one row a line."""
    cells = [HEAD, *map(_cells, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEAD))]
    lines = (
        "  ".join(_aligned(i, cell, width) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    sign = ">=" if row.at_least else "<="
    return (
        row.what,
        f"{_number(row.value)} {row.unit}".rstrip(),
        "" if row.budget is None else f"{sign} {_number(row.budget)}",
        "" if row.bare is None else f"{row.bare:.2f}",
        "" if row.budget is None else ("ok" if row.is_held else "MISSED"),
        row.note,
    )


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _aligned(column: int, cell: str, width: int) -> str:
    return cell.rjust(width) if column in (1, 2, 3) else cell.ljust(width)
