"""The sums of `runspan stats` in the terminal: a table where there is room for it, else a few lines for each group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..viewer.text import fit, one_line
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


def draw(groups: Sequence[Group], by: Sequence[str], console: Console | None = None) -> None:
    """To the console, by default standard output."""
    console = console or Console(highlight=False, markup=False, emoji=False)
    whole = totals(groups)
    if console.width >= TABLE_FROM:
        console.print(_table(groups, whole, by))
    else:
        for group in groups:
            _lines(console, " · ".join(_key(group, name) for name in by), group)
        if len(groups) > 1:
            _lines(console, "all", whole)


def _table(groups: Sequence[Group], whole: Group, by: Sequence[str]) -> Table:
    table = Table(
        box=None, pad_edge=False, show_footer=len(groups) > 1, header_style="dim", footer_style="bold"
    )
    for at, name in enumerate(by):
        table.add_column(name, footer="all" if at == 0 else "", overflow="ellipsis", no_wrap=True)
    for name, cell in COLUMNS.items():
        table.add_column(name, footer=cell(whole), justify="right", no_wrap=True)
    for group in groups:
        keys = [Text(_key(group, name), style="bold") for name in by]
        cells = [Text(cell(group), style="red" if name == "failed" else "") for name, cell in COLUMNS.items()]
        table.add_row(*keys, *cells)
    return table


def _key(group: Group, name: str) -> str:
    return shown(fit(one_line(group.keys[name], MAX_KEY), MAX_KEY)) or UNKNOWN


def _lines(console: Console, title: str, group: Group) -> None:
    failed = f", {group.failed:,} failed" if group.failed else ""
    console.print(Text(title, style="bold"), overflow="fold")
    for line in (
        f"{count(group.runs, 'run')}{failed}",
        f"tokens {_number(group.sums['input_tokens'])} → {_number(group.sums['output_tokens'])}, cost {_money(group)}",
        f"latency p50 {_time(group, 'latency_s', 50)}, p95 {_time(group, 'latency_s', 95)},"
        f" p99 {_time(group, 'latency_s', 99)}",
        f"queue p50 {_time(group, 'queue_s', 50)}, p95 {_time(group, 'queue_s', 95)}",
    ):
        console.print(Text(f"  {line}"), overflow="fold")
    console.print()
