"""Which runs: a filter and its SQL condition, one for the pages, the JSON API and exports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

SORTS: Mapping[str, str] = {
    "start": "start_ns",
    "duration": "duration_ns",
    "queue": "queue_s",
    "first_token": "first_token_s",
    "tokens": "tokens",
    "cost": "cost",
}
MAX_NS = 2**63 - 1
NULLABLE = frozenset({"queue_s", "first_token_s", "tokens", "cost"})
# filters of equality, each a column; the second term lets the planner take an index that leaves the empty ones out
EQUAL = ("status", "name", "model", "service", "thread", "session", "user")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs, and in what order. Empty texts ask for nothing. `attribute`: `key=value`, or a key alone."""

    words: str = ""
    status: str = ""
    name: str = ""
    model: str = ""
    service: str = ""
    thread: str = ""
    session: str = ""
    user: str = ""
    attribute: str = ""
    is_bad: bool = False  # failed, expired, in error, or without an end that anyone saw
    since_ns: int = 0
    until_ns: int = 0
    min_duration_ns: int = 0
    sort: str = "start"  # a key of SORTS
    is_ascending: bool = False

    def is_narrow(self) -> bool:
        """Whether it leaves any run out."""
        return replace(self, sort="start", is_ascending=False) != RunFilter()

    def phrase(self) -> str:
        """The attribute as words that stand beside each other."""
        return (
            '"' + self.attribute.replace("=", " ", 1).replace('"', " ") + '"'
            if self.attribute.strip()
            else ""
        )

    def order(self) -> str:
        """The ORDER BY of a list of runs. What is not known comes last, either way; downwards it does so by itself."""
        column, direction = SORTS[self.sort], "ASC" if self.is_ascending else "DESC"
        nulls = " NULLS LAST" if self.is_ascending and column in NULLABLE else ""
        return f"{column} {direction}{nulls}, id {direction}"

    def bounds(self, duration: str) -> list[tuple[str, int]]:
        """(term, value) of the times that are asked for; those beyond SQLite's integers are its largest."""
        asked = (
            ("start_ns >= ?", self.since_ns),
            ("start_ns < ?", self.until_ns),
            (f"{duration} >= ?", self.min_duration_ns),
        )
        return [(term, min(number, MAX_NS)) for term, number in asked if number]

    def where(self, found: Callable[[str], list[Any]]) -> tuple[str, tuple[Any, ...]]:
        """(terms joined by AND, their values). `found`: ids of the runs in whose spans some words are."""
        terms: list[str] = []
        values: list[Any] = []
        for name in EQUAL:
            if value := getattr(self, name):
                terms.append(f"{name} = ? AND {name} <> ''")
                values.append(value)
        for term, number in self.bounds("duration_ns"):
            terms.append(term)
            values.append(number)
        if self.is_bad:
            terms.append("is_bad = 1")
        searched = [words for words in (self.words, self.phrase()) if words.strip()]
        terms += [f"id IN ({', '.join(map(str, found(words)))})" for words in searched]
        return " AND ".join(terms), tuple(values)


def where_traces(words: str, of: RunFilter, found: Callable[[str], list[Any]]) -> tuple[list[str], list[Any]]:
    """Terms and values for the table of traces. `found`: ids of the traces in whose spans some words are."""
    terms: list[str] = []
    values: list[Any] = []
    for text in (words, of.phrase()):
        if text.strip():
            ids = found(text)
            terms.append(f"trace IN ({', '.join('?' * len(ids))})")
            values += ids
    for term, value in (*of.bounds("end_ns - start_ns"), ("service = ?", of.service)):
        if value:
            terms.append(term)
            values.append(value)
    if of.is_bad:
        terms.append("(errors > 0 OR trace IN (SELECT trace FROM runs WHERE is_bad = 1))")
    equal = {name: getattr(of, name) for name in EQUAL if name != "service"}
    inner, of_runs = RunFilter(**equal).where(lambda _: [])
    if inner:
        terms.append(f"trace IN (SELECT trace FROM runs WHERE {inner})")  # noqa: S608 - our own terms
        values += of_runs
    return terms, values
