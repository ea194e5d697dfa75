"""The sums of `runspan stats` in the terminal: a table where there is room for it, else a few lines for each group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ..viewer.paint import Paint, Piece
from ..viewer.text import cell_len, fit, one_line, wrapped
from ..viewer.units import count, seconds
from .output import shown
from .summing import Group, totals

UNKNOWN = "–"
TABLE_FROM = 110  # cells
MAX_KEY = 28


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def _money(group: Group) -> str:
    """At least so much, where some runs have no price."""
    cost = group.sums["cost_usd"]
    return UNKNOWN if cost is None else f"{'≥ ' if group.unknown['cost_usd'] else ''}${cost:,.4g}"


def _time(group: Group, name: str, percent: float) -> str:
    value = group.percentile(name, percent)
    return UNKNOWN if value is None else seconds(value)


COLUMNS: Mapping[str, Callable[[Group], str]] = {
    "runs": lambda group: f"{group.runs:,}",
    "failed": lambda group: f"{group.failed:,}" if group.failed else "",
    "tokens in": lambda group: _number(group.sums["input_tokens"]),
    "out": lambda group: _number(group.sums["output_tokens"]),
    "cost": _money,
    "p50": lambda group: _time(group, "latency_s", 50),
    "p95": lambda group: _time(group, "latency_s", 95),
    "p99": lambda group: _time(group, "latency_s", 99),
    "queue p95": lambda group: _time(group, "queue_s", 95),
}


def draw(groups: Sequence[Group], by: Sequence[str]) -> None:
    """To standard output."""
    paint = Paint()
    whole = totals(groups)
    if paint.width >= TABLE_FROM:
        for row in _table(groups, whole, by):
            paint.line(row)
        return
    for group in groups:
        _lines(paint, " · ".join(_key(group, name) for name in by), group)
    if len(groups) > 1:
        _lines(paint, "all", whole)


def _table(groups: Sequence[Group], whole: Group, by: Sequence[str]) -> Iterator[list[Piece]]:
    """Keys on the left, numbers to the right; the sums last, where there is more than one group."""
    rows = [[(name, "dim") for name in (*by, *COLUMNS)]]
    for group in groups:
        numbers = [(cell(group), "red" if name == "failed" else "") for name, cell in COLUMNS.items()]
        rows.append([*((_key(group, name), "bold") for name in by), *numbers])
    if len(groups) > 1:
        keys = ["all", *[""] * (len(by) - 1)]
        rows.append([(text, "bold") for text in (*keys, *(cell(whole) for cell in COLUMNS.values()))])
    widths = [max(cell_len(row[at][0]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        line: list[Piece] = []
        for at, ((text, style), width) in enumerate(zip(row, widths, strict=True)):
            blanks = (" " * (width - cell_len(text)), "")
            line += [("  ", "")] if at else []
            line += [(text, style), blanks] if at < len(by) else [blanks, (text, style)]
        yield line


def _key(group: Group, name: str) -> str:
    return shown(fit(one_line(group.keys[name], MAX_KEY), MAX_KEY)) or UNKNOWN


def _lines(paint: Paint, title: str, group: Group) -> None:
    failed = f", {group.failed:,} failed" if group.failed else ""
    for line in wrapped(title, paint.width):
        paint.line([(line, "bold")])
    for text in (
        f"{count(group.runs, 'run')}{failed}",
        f"tokens {_number(group.sums['input_tokens'])} → {_number(group.sums['output_tokens'])}, cost {_money(group)}",
        f"latency p50 {_time(group, 'latency_s', 50)}, p95 {_time(group, 'latency_s', 95)},"
        f" p99 {_time(group, 'latency_s', 99)}",
        f"queue p50 {_time(group, 'queue_s', 50)}, p95 {_time(group, 'queue_s', 95)}",
    ):
        for line in wrapped(text, paint.width - 2):
            paint.line([("  ", ""), (line, "")])
    paint.line()
