"""Mutations: what a proxy, an imitation of the API or a bad day makes of a real response, and of the order of observations."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Path = tuple[Any, ...]

GONE = object()
STATUSES = (
    *("queued", "in_progress", "requires_action", "cancelling"),
    *("completed", "failed", "cancelled", "expired", "incomplete", "of_later_days"),
)

odd = st.one_of(
    st.just(GONE),
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(["\ud800", "\x00", "x" * 3_000, "run_1", "\u202e<script>", *STATUSES]),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["type", "id", "text", "value", "function", "data"]), inner)
        ),
        max_leaves=12,
    ),
)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Of every field, however deep."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn, whole: Any, most: int = 4) -> Any:
    """`whole` with up to `most` fields set to something odd, taken away, or swapped with another."""
    mutant = copy.deepcopy(whole)
    for _ in range(draw(st.integers(0, most))):
        known = list(paths(mutant))
        if not known:
            break
        path = draw(st.sampled_from(known))
        value = copy.deepcopy(at(mutant, draw(st.sampled_from(known)))) if draw(st.booleans()) else draw(odd)
        put(mutant, path, value)
    return mutant


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def put(whole: Any, path: Path, value: Any) -> None:
    owner = at(whole, path[:-1])
    if value is GONE:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value


@st.composite
def disordered(draw: st.DrawFn, items: list[T]) -> list[T]:
    """Some of `items` again, some not at all, and cut, shuffled or left in their order."""
    again = draw(st.lists(st.sampled_from(items), max_size=len(items))) if items else []
    lost = draw(st.sets(st.integers(0, max(0, len(items) - 1)), max_size=3))
    kept = [item for i, item in enumerate(items) if i not in lost]
    how = draw(st.sampled_from(["as it was", "cut", "shuffled", "twice", "backwards"]))
    if how == "cut":
        return kept[: draw(st.integers(0, len(kept)))]
    if how == "shuffled":
        return draw(st.permutations(kept + again))
    if how == "backwards":
        return kept[::-1]
    return kept + again if how == "twice" else kept


@st.composite
def interleaved(draw: st.DrawFn, *sequences: list[T]) -> list[T]:
    """One sequence of all, each in its own order."""
    turns = [n for n, sequence in enumerate(sequences) for _ in sequence]
    left = [iter(sequence) for sequence in sequences]
    return [next(left[n]) for n in draw(st.permutations(turns))]
