"""Spans to trees: traces by time, children by time, and a place for whatever does not fit.

Spans arrive in any order, twice (a sender that tried again), without their parents (lost, or not yet ended),
and from broken senders in circles. Every span is in the result exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from runspan.viewer.spans import Span

MAX_RAILS = 64  # levels of guide lines kept; no terminal shows more


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree, in drawing order."""

    span: Span | None  # None is a node of our own, which holds spans that have no place
    note: str  # what that node is
    parent: Span | None
    rails: tuple[bool, ...]  # per level from the top: is this branch the last of its siblings?
    has_children: bool
    depth: int = 0  # levels above it, also beyond those that have rails


@dataclass(frozen=True, slots=True)
class Trace:
    """All spans of one trace. Times are 0 when no span has any."""

    trace_id: str
    spans: tuple[Span, ...]
    start_ns: int
    end_ns: int

    def entries(self, *, with_rails: bool = True) -> Iterator[Entry]:
        """The tree from top to bottom, without recursion: traces can be deeper than Python's stack."""
        known = {span.span_id for span in self.spans}
        roots = [span for span in self.spans if span.parent_id is None]
        children: dict[str, list[Span]] = {}
        for span in self.spans:
            if span.parent_id is not None:
                children.setdefault(span.parent_id, []).append(span)
        missing = [parent_id for parent_id in children if parent_id not in known]
        circles = _one_per_circle(self.spans)
        notes = {span_id: f"missing parent {span_id}" for span_id in missing}
        notes |= {span_id: f"circle of parents at {span_id}" for span_id in circles}
        yield from _walk(roots, notes, children, with_rails)


def grow(spans: Iterable[Span]) -> tuple[Trace, ...]:
    """The traces of these spans, earliest first. A span that came twice is taken once."""
    by_trace: dict[str, dict[str, list[Span]]] = {}
    for span in spans:
        same_id = by_trace.setdefault(span.trace_id, {}).setdefault(span.span_id, [])
        if span not in same_id:
            same_id.append(span)
    traces = [whole(trace_id, list(chain(*by_id.values()))) for trace_id, by_id in by_trace.items()]
    return tuple(sorted(traces, key=lambda trace: (trace.start_ns, trace.trace_id)))


def whole(trace_id: str, spans: Iterable[Span]) -> Trace:
    """One trace from all of its spans, none of which came twice."""
    ordered = tuple(sorted(spans, key=lambda span: span.start_ns))
    times = [time for span in ordered for time in (span.start_ns, span.end_ns) if time]
    return Trace(trace_id, ordered, min(times, default=0), max(times, default=0))


def _one_per_circle(spans: tuple[Span, ...]) -> list[str]:
    """For each circle of parents the one parent id to break it at, that of its earliest span."""
    parents = {span.span_id: span.parent_id for span in reversed(spans)}
    settled: set[str | None] = {None}
    broken: list[str] = []
    for span in spans:
        path: dict[str, None] = {}
        at: str | None = span.span_id
        while at not in settled and at not in path and at is not None:
            path[at] = None
            at = parents.get(at)
        if at is not None and at in path:
            circle = set(list(path)[list(path).index(at) :])
            first = next(span for span in spans if span.span_id in circle)
            broken.append(first.parent_id or at)
        settled.update(path)
    return broken


Step = tuple[Span | None, str, Span | None, tuple[bool, ...], int]  # span, its id, parent, rails, depth


def _walk(
    roots: list[Span], notes: Mapping[str, str], children: dict[str, list[Span]], with_rails: bool
) -> Iterator[Entry]:
    tops: list[Step] = [(root, root.span_id, None, (), 0) for root in roots]
    tops += [(None, span_id, None, (), 0) for span_id in notes]
    stack = tops[::-1]
    while stack:
        span, span_id, parent, rails, depth = stack.pop()
        # Taking the children away leaves none for a second span of the same id, nor for a circle to go on.
        below = children.pop(span_id, [])
        yield Entry(span, "" if span else notes[span_id], parent, rails, bool(below), depth)
        last = len(below) - 1
        for index in range(last, -1, -1):
            child_rails = (*rails, index == last)[-MAX_RAILS:] if with_rails else ()
            stack.append((below[index], below[index].span_id, span, child_rails, depth + 1))
