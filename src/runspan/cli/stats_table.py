"""The sums of `runspan stats` in the terminal: one table, with as many columns as the terminal has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..viewer.paint import Paint
from ..viewer.store.numbers import Group, totals
from ..viewer.text import cell_len, fit, one_line
from ..viewer.units import money, seconds
from .output import shown

UNKNOWN = "–"
GAP = "  "
MAX_KEY, MIN_KEY = 28, 5
ENOUGH = 20  # runs; of fewer, the 95th percentile is hardly more than the longest one


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def _money(group: Group) -> str:
    """At least so much, where some runs have no price."""
    cost = group.sums["cost_usd"]
    return UNKNOWN if cost is None else f"{'≥ ' if group.unknown['cost_usd'] else ''}{money(cost)}"


def _time(group: Group, name: str, percent: float) -> str:
    value = group.percentile(name, percent)
    return UNKNOWN if value is None else seconds(value)


def _p95(group: Group) -> str:
    return _time(group, "latency_s", 95) if group.runs >= ENOUGH else ""


COLUMNS: Mapping[str, Callable[[Group], str]] = {
    "runs": lambda group: f"{group.runs:,}",
    "failed": lambda group: f"{group.failed:,}" if group.failed else "",
    "tokens in": lambda group: _number(group.sums["input_tokens"]),
    "out": lambda group: _number(group.sums["output_tokens"]),
    "cost": _money,
    "median": lambda group: _time(group, "latency_s", 50),
    "p95": _p95,
    "longest": lambda group: _time(group, "latency_s", 100),
    "queued": lambda group: _time(group, "queue_s", 50),
}
LEAST_WANTED = ("queued", "longest", "out", "tokens in", "p95", "median", "cost", "failed")  # the first to go


@dataclass(slots=True)
class Column:
    """`cells`: the head, then one for each group, then that of the sums where there are several groups."""

    cells: list[str]
    is_key: bool = False

    @property
    def width(self) -> int:
        return max(map(cell_len, self.cells))

    def cell(self, at: int) -> str:
        text = self.cells[at]
        blanks = " " * (self.width - cell_len(text))
        return text + blanks if self.is_key else blanks + text

    def style(self, at: int) -> str:
        if at == 0:
            return "dim"
        return "bold" if self.is_key else "red" if self.cells[0] == "failed" else ""


def draw(groups: Sequence[Group], by: Sequence[str]) -> None:
    """To standard output."""
    paint = Paint()
    columns = _fitted(_columns(groups, by), paint.width)
    for at in range(len(columns[0].cells)):
        paint.line(
            [piece for column in columns for piece in ((column.cell(at), column.style(at)), (GAP, ""))]
        )


def _columns(groups: Sequence[Group], by: Sequence[str]) -> list[Column]:
    """Keys on the left, numbers that any group has on the right."""
    is_one = len(groups) == 1
    sums = [*groups, *([] if is_one else [totals(groups)])]
    keys = [[name, *(_key(group, name) for group in groups), *([] if is_one else [""])] for name in by]
    if not is_one:
        keys[0][-1] = "all"
    numbers = [[name, *map(cell, sums)] for name, cell in COLUMNS.items()]
    return [*(Column(one, True) for one in keys), *(Column(one) for one in numbers if any(one[1:]))]


def _fitted(columns: list[Column], room: int) -> list[Column]:
    """Without what is wanted least, then with shorter keys, so that a line has room."""
    for name in LEAST_WANTED:
        if _width(columns) <= room:
            break
        columns = [column for column in columns if column.cells[0] != name]
    for column in sorted(columns, key=lambda column: -column.width):
        if column.is_key and (over := _width(columns) - room) > 0:
            most = max(MIN_KEY, column.width - over)
            column.cells = [fit(cell, most) for cell in column.cells]
    return columns


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width + len(GAP) for column in columns) - len(GAP)


def _key(group: Group, name: str) -> str:
    return shown(fit(one_line(group.keys[name], MAX_KEY), MAX_KEY)) or UNKNOWN
