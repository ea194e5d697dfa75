"""Runs of a store in groups, with sums and percentiles."""

from __future__ import annotations

from collections.abc import Sequence

from ..viewer.store.numbers import BY, PERCENTILES, SUMS, TIMES, Group, columns, percentile, totals
from ..viewer.store.numbers import grouped as group_rows
from .selection import Selection
from .source import Source

__all__ = ["BY", "PERCENTILES", "SUMS", "TIMES", "Group", "grouped", "percentile", "totals"]


def grouped(source: Source, chosen: Selection, by: Sequence[str]) -> list[Group]:
    """Runs (not model calls outside of any), the group with most of them first."""
    where, values = chosen.where()
    terms = ["sort = 'run'", *([where] if where else [])]
    if source.trace is not None:
        terms.append("trace = ?")
        values = (*values, bytes.fromhex(source.trace))
    sql = f"SELECT {columns(by)} FROM runs WHERE {' AND '.join(terms)}"  # noqa: S608 - names of ours
    return group_rows(source.store.select(sql, values), by)
