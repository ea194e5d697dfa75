"""The order of a page is read off its objects. What the app asked for counts only where they don't tell: some servers ignore it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


def lean(values: Iterable[float | None]) -> int:
    """Above 0 where the values rise, below 0 where they fall, 0 where they don't tell. None says nothing."""
    known = [value for value in values if value is not None]
    return sum((a < b) - (a > b) for a, b in pairwise(known))


def oldest_first(
    rows: Sequence[T], moments: Sequence[float | None], *, is_ascending: bool
) -> tuple[tuple[T, ...], bool, bool]:
    """`rows`, the oldest first; whether the server lists them so; whether `moments` (one a row) told that.

    `is_ascending`: what was asked for. Rows of one moment stay in the server's order.
    """
    leaning = lean(moments)
    is_ascending = leaning > 0 if leaning else is_ascending
    step = 1 if is_ascending else -1
    pairs = list(zip(moments, rows, strict=True))[::step]
    if leaning and all(moment is not None for moment, _ in pairs):
        pairs.sort(key=lambda pair: pair[0] or 0.0)
    return tuple(row for _, row in pairs), is_ascending, bool(leaning)


def queues(pairs: Iterable[tuple[K, T]]) -> dict[K, deque[T]]:
    """(name, thing) -> by name its things, in their order."""
    found: dict[K, deque[T]] = defaultdict(deque)
    for name, thing in pairs:
        found[name].append(thing)
    return found


def next_of(found: Mapping[K, deque[T]], name: K) -> T | None:
    """Takes the first thing of that name that is left."""
    left = found.get(name)
    return left.popleft() if left else None
