"""A trace as rows: where each span stands in the tree, and where its bar stands in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runspan.viewer.forest import Trace
from runspan.viewer.kinds import is_error, number, text, word
from runspan.viewer.spans import Span
from runspan.viewer.store.facts import SORTS, status

MAX_ROWS = 5_000  # more than a browser shows with ease; the download has them all
MIN_PERCENT = 0.25  # of the width: a span of no length is still seen
MAX_LEVEL = 24  # of indentation
TICKS = 5
STEPS = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80)  # tenths

# a Run's status -> what is going on while it lasts
PHASES: Mapping[str, str] = {
    "queued": "queue",
    "in_progress": "active",
    "cancelling": "active",
    "requires_action": "wait",
}
PHASE_WORDS: Mapping[str, str] = {
    "queue": "queued",
    "active": "active",
    "wait": "waiting for tool outputs",
    "lag": "over, not yet noticed by the app",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar, in percent of the width. `kind`: queue, active, wait, lag, or plain."""

    kind: str
    left: float
    width: float
    seconds: float

    @property
    def word(self) -> str:
        """What it means."""
        return PHASE_WORDS.get(self.kind, "")


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `span` is None for a place that holds spans whose parent is not there."""

    id: str
    level: int
    has_children: bool
    kind: str
    name: str
    span: Span | None
    is_error: bool
    badge: str  # a model, or how a run ended where that is news
    start_s: float
    took_s: float | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Waterfall:
    """All of it. `ticks`: (percent, seconds)."""

    rows: tuple[Row, ...]
    omitted: int
    took_s: float
    ticks: tuple[tuple[float, float], ...]


def waterfall(trace: Trace) -> Waterfall:
    """The rows in drawing order."""
    end_ns = max([trace.end_ns, *(span.end_ns + _lag_ns(span) for span in trace.spans)], default=0)
    total_ns = scale_ns(max(end_ns - trace.start_ns, 1))
    rows = []
    for at, entry in enumerate(trace.entries()):
        if at >= MAX_ROWS:
            break
        level = min(len(entry.rails), MAX_LEVEL)
        if entry.span is None:
            rows.append(
                Row(f"gap{at}", level, entry.has_children, "gap", entry.note, None, False, "", 0.0, None, ())
            )
            continue
        rows.append(_row(entry.span, level, entry.has_children, trace.start_ns, total_ns))
    spans_shown = sum(row.span is not None for row in rows)
    ticks = tuple((100 * n / TICKS, total_ns / 1e9 * n / TICKS) for n in range(TICKS))
    return Waterfall(tuple(rows), len(trace.spans) - spans_shown, total_ns / 1e9, ticks)


def scale_ns(took_ns: int) -> int:
    """The length of the axis: the shortest that holds this and whose ticks are round numbers."""
    for exponent in range(20):
        for step in STEPS:
            whole = TICKS * step * int(10**exponent) // 10
            if whole >= took_ns:
                return whole
    return took_ns


def _row(span: Span, level: int, has_children: bool, from_ns: int, total_ns: int) -> Row:
    kind = word(span)[0]
    is_timed = 0 < span.start_ns <= span.end_ns
    pieces = tuple(_pieces(span, kind, from_ns, total_ns)) if is_timed else ()
    return Row(
        span.span_id,
        level,
        has_children,
        kind,
        span.name or "(no name)",
        span,
        is_error(span),
        badge(span, kind),
        (span.start_ns - from_ns) / 1e9 if span.start_ns else 0.0,
        (span.end_ns - span.start_ns) / 1e9 if is_timed else None,
        pieces,
    )


def badge(span: Span, kind: str) -> str:
    """The one more thing to know of a span at a glance."""
    if SORTS.get(kind) == "llm":
        model = text(span, "gen_ai.response.model") or text(span, "gen_ai.request.model")
        return "" if model in span.name else model
    if SORTS.get(kind) == "run":
        ended = status(span)
        return (
            "end not seen"
            if text(span, "runspan.run.unfinished")
            else ""
            if ended in ("completed", "ok")
            else ended
        )
    return ""


def phases(span: Span) -> Iterator[tuple[str, int, int]]:
    """(kind, start, end) of a run's life, from its status events, else from its own sums."""
    seen = [
        (event.time_ns, state)
        for event in span.events
        if isinstance(state := event.attributes.get("runspan.run.status"), str)
    ]
    if not seen:
        queue_ns = int((number(span, "runspan.run.queue_s") or 0.0) * 1e9)
        seen = [(span.start_ns, "queued"), (span.start_ns + queue_ns, "in_progress")] if queue_ns else []
    at_ns, kind = span.start_ns, "queue"
    if not seen:
        yield "active", span.start_ns, span.end_ns
        return
    for time_ns, state in sorted(seen):
        time_ns = min(max(time_ns, at_ns), span.end_ns)
        following = PHASES.get(state, "active")
        if following != kind:
            if time_ns > at_ns:
                yield kind, at_ns, time_ns
            at_ns, kind = time_ns, following
    if span.end_ns > at_ns:
        yield kind, at_ns, span.end_ns


def _pieces(span: Span, kind: str, from_ns: int, total_ns: int) -> Iterator[Piece]:
    if not any(key.startswith("runspan.run.") for key in span.attributes) or SORTS.get(kind) != "run":
        yield _piece("plain", span.start_ns, span.end_ns, from_ns, total_ns)
        return
    for phase, start_ns, end_ns in phases(span):
        yield _piece(phase, start_ns, end_ns, from_ns, total_ns)
    if lag_ns := _lag_ns(span):
        yield _piece("lag", span.end_ns, span.end_ns + lag_ns, from_ns, total_ns)


def _piece(kind: str, start_ns: int, end_ns: int, from_ns: int, total_ns: int) -> Piece:
    left = min(100 * (start_ns - from_ns) / total_ns, 100 - MIN_PERCENT)
    width = max(100 * (end_ns - start_ns) / total_ns, MIN_PERCENT)
    return Piece(kind, round(left, 3), round(min(width, 100 - left), 3), (end_ns - start_ns) / 1e9)


def _lag_ns(span: Span) -> int:
    lag_s = number(span, "runspan.run.detection_lag_s") or 0.0
    return int(min(lag_s, 86_400.0) * 1e9) if span.end_ns else 0
