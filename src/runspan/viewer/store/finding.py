"""What an id names: one that was typed, or the first that stands in a pasted line of a log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from runspan.viewer.store.records import id_of

Ask = Callable[[str, Sequence[Any]], list[Any]]
Found = tuple[str, str, str]  # what it is, its id, and a span of it

HEX = frozenset("0123456789abcdef")
WORD = re.compile(r"[A-Za-z0-9_]{8,200}")
LEAST_PREFIX = 8  # digits of a trace id, as the pages show it
MAX_LINE, MAX_WORDS = 4_000, 20


def named(ask: Ask, name: str) -> Found | None:
    """("trace", its id, ""), ("span", trace, span), ("thread" or "session", its id, "")."""
    name = name.strip()
    if found := _trace(ask, name) or _span(ask, name):
        return found
    return _group(ask, "thread", name) or _group(ask, "session", name)


def named_within(ask: Ask, line: str) -> Found | None:
    """Of the ids in a line (`trace_id=... span_id=...`, a traceparent) the first trace, else the first span or run, else a thread.

    The beginning of a trace's id counts as well, where no other trace begins so.
    """
    line = line[:MAX_LINE].strip()
    words = sorted(_words(line), key=lambda word: not HEX.issuperset(word.lower()))[:MAX_WORDS]
    for look in (_trace, _span, partial(_group, column="thread")):
        for word in words:
            if found := look(ask, name=word):
                return found
    return _beginning(ask, line.rstrip(".…"))


def _words(line: str) -> Iterator[str]:
    """Words that may be ids, also what stands behind a `0x`; a UUID is one of them."""
    if len(line) == 36 and line.count("-") == 4:
        yield line.replace("-", "")
    for match in WORD.finditer(line):
        yield match[0].removeprefix("0x")


def _trace(ask: Ask, name: str) -> Found | None:
    key = id_of(name) if len(name) == 32 else b""
    return (
        ("trace", name.lower(), "") if key and ask("SELECT 1 FROM traces WHERE trace = ?", (key,)) else None
    )


def _span(ask: Ask, name: str) -> Found | None:
    """By its own id, or that of the run it stands for."""
    ids = (
        ("SELECT hex(trace), hex(span) FROM spans WHERE span = ? LIMIT 1", id_of(name) if len(name) == 16 else b""),
        ("SELECT hex(trace), hex(span) FROM runs WHERE run_id = ? AND run_id <> '' LIMIT 1", name),
    )  # fmt: skip
    for sql, value in ids:
        if value and (found := ask(sql, (value,))):
            return "span", found[0][0].lower(), found[0][1].lower()
    return None


def _group(ask: Ask, column: str, name: str) -> Found | None:
    sql = f"SELECT 1 FROM runs WHERE {column} = ? AND {column} <> '' LIMIT 1"  # noqa: S608 - ours
    return (column, name, "") if name and ask(sql, (name,)) else None


def _beginning(ask: Ask, name: str) -> Found | None:
    digits = name.lower()
    if not LEAST_PREFIX <= len(digits) < 32 or not HEX.issuperset(digits):
        return None
    low, high = id_of(digits.ljust(32, "0")), id_of(digits.ljust(32, "f"))
    found = ask("SELECT hex(trace) FROM traces WHERE trace BETWEEN ? AND ? LIMIT 2", (low, high))
    return ("trace", found[0][0].lower(), "") if len(found) == 1 else None
