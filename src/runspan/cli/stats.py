"""`runspan stats`: runs, tokens, cost and latency, by assistant and model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..viewer.store.numbers import BY, Group, columns, grouped, totals
from . import selection
from .output import say_json
from .progress import progress
from .selection import Selection, nothing
from .source import Source, opened


@click.command("stats", short_help="Totals of runs, tokens, cost and latency.")
@selection.options
@click.option(
    "--by",
    type=click.Choice(tuple(BY)),
    multiple=True,
    default=("assistant", "model"),
    show_default=True,
    help="Group by this. Can be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all numbers as JSON.")
@click.argument("source", metavar="[FILE|TRACE_ID|RUN_ID]", required=False)
def command(
    source: str | None, selection: Selection, db: Path | None, by: tuple[str, ...], as_json: bool
) -> None:
    """Print totals of runs: how many, how they ended, tokens, cost, and percentiles of their times.

    Without a FILE, the store of `runspan ui` is read. Latency is the time from the request to the end of a run; queue is the time
    until the server began. A run without tokens or cost counts as unknown, not as zero.

    \b
    Examples:
      runspan stats traces.jsonl
      runspan stats --since 24h --by model
      runspan stats --status failed --by assistant --by status
      runspan stats --json | jq '.groups[] | {assistant, p95: .latency_s.p95}'
    """
    by = tuple(dict.fromkeys(by))
    with opened(source, db) as found, progress("summing up"):
        groups = _groups(found, selection, by)
        if not groups:
            raise nothing(found, selection, "run")
    if as_json:
        say_json({"groups": [group.as_json() for group in groups], "total": totals(groups).as_json()})
        return
    from .stats_table import draw

    draw(groups, by)


def _groups(source: Source, chosen: Selection, by: Sequence[str]) -> list[Group]:
    """Runs (not model calls outside of any), the group with most of them first."""
    where, values = chosen.where(source.trace)
    condition = " AND ".join(filter(None, ("sort = 'run'", where)))
    return grouped(source.store.select(f"SELECT {columns(by)} FROM runs WHERE {condition}", values), by)  # noqa: S608 - names of ours
