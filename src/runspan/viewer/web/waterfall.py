"""A trace as rows: where each span stands in the tree, and where its bar stands in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runspan.viewer.dialects import normal
from runspan.viewer.forest import Entry, Trace
from runspan.viewer.kinds import is_error, number, text, title, word
from runspan.viewer.spans import Span
from runspan.viewer.store.facts import sort_of, status, usage

PAGE_ROWS = 1_000  # more at once make a browser slow; the rest is on further pages
MIN_PERCENT = 0.01  # of the width; the stroke around a bar keeps shorter ones in sight
MAX_LEVEL = 24  # of indentation; the tree itself goes on
MAX_MARKS = 20  # events drawn on one bar
MINI_ROWS = 400  # bars in the minimap
TICKS = 5
STEPS = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80)  # tenths
SERVICE_COLOURS = 8
SKEW_FROM_NS = 1_000_000

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
    "lag": "finished, the app had not looked yet",
}
MARKED_EVENTS: Mapping[str, str] = {"exception": "bad", "first_token": "token", "gen_ai.first_token": "token"}


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
class Mark:
    """An event on a bar. `kind`: bad, token, or plain."""

    kind: str
    left: float
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `span` is None for a place that holds spans whose parent is not there."""

    id: str
    depth: int
    has_children: bool
    kind: str
    name: str
    span: Span | None = None
    is_error: bool = False
    badge: str = ""  # a model, or how a run ended where that is news
    tone: str = ""  # of the badge: bad, warn
    tokens: int | None = None
    cost: float | None = None
    took_s: float | None = None
    width_s: float | None = None  # how uncertain `took_s` is
    service: int = 0  # the number of its service's colour
    pieces: tuple[Piece, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def level(self) -> int:
        """Of indentation."""
        return min(self.depth, MAX_LEVEL)


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One page of rows. `first` counts the rows before it, `total` all rows. `ticks`: (percent, seconds)."""

    rows: tuple[Row, ...]
    first: int
    total: int
    total_ns: int
    ticks: tuple[tuple[float, float], ...]
    services: Mapping[str, int]
    mini: tuple[tuple[str, float, float], ...] = ()  # (kind, left, width) of every row, or of a sample

    @property
    def has_phases(self) -> bool:
        """Whether a bar shows what a run was doing, so that the page explains the colours."""
        return any(piece.word for row in self.rows for piece in row.pieces)

    @property
    def last(self) -> int:
        """Counts the rows up to its end."""
        return self.first + len(self.rows)


def services(spans: Iterable[Span]) -> dict[str, int]:
    """Service -> number of its colour, in order of appearance."""
    names = dict.fromkeys(str(span.resource.get("service.name") or "") for span in spans)
    return {name: at % SERVICE_COLOURS for at, name in enumerate(name for name in names if name)}


def skews(spans: Iterable[Span]) -> list[tuple[str, str, float]]:
    """(service, service above, seconds): spans of the one begin up to so long before their parents in the other.

    A cause comes before its effect, so the clocks of the two machines differ by at least that much.
    """
    spans = list(spans)
    if len({str(span.resource.get("service.name") or "") for span in spans}) < 2:
        return []
    by_id = {span.span_id: span for span in spans}
    found: dict[tuple[str, str], int] = {}
    for span in by_id.values():
        parent = by_id.get(span.parent_id or "")
        if parent is None or not span.start_ns or not parent.start_ns:
            continue
        pair = str(span.resource.get("service.name") or ""), str(parent.resource.get("service.name") or "")
        early_ns = parent.start_ns - span.start_ns
        if pair[0] != pair[1] and early_ns >= SKEW_FROM_NS:
            found[pair] = max(found.get(pair, 0), early_ns)
    return [(*pair, early_ns / 1e9) for pair, early_ns in found.items()]


def waterfall(
    trace: Trace,
    entries: Sequence[Entry] | None = None,
    whole: Mapping[str, Span] | None = None,
    first: int = 0,
    kinds: Mapping[str, str] | None = None,
) -> Waterfall:
    """One page of rows in drawing order, from row `first` on.

    `entries`: the trace's, where they are known already. `whole`: the page's spans with their attributes, where the
    trace's own have none, and `kinds` the kind of every span then.
    """
    entries = list(trace.entries()) if entries is None else entries
    shown = entries[first : first + PAGE_ROWS]
    whole = {} if whole is None else whole
    lags = (_lag_ns(span) + span.end_ns for span in whole.values() or trace.spans)
    end_ns = max([trace.end_ns, *lags])
    total_ns = scale_ns(max(end_ns - trace.start_ns, 1))
    colours = services(trace.spans)
    rows = tuple(
        _row(entry, first + at, whole, trace.start_ns, total_ns, colours) for at, entry in enumerate(shown)
    )
    ticks = tuple((100 * n / TICKS, total_ns / 1e9 * n / TICKS) for n in range(TICKS))
    mini = tuple(_mini(entries, trace.start_ns, total_ns, kinds))
    return Waterfall(rows, first, len(entries), total_ns, ticks, colours, mini)


def scale_ns(took_ns: int) -> int:
    """The length of the axis: the shortest that holds this and whose ticks are round numbers."""
    for exponent in range(20):
        for step in STEPS:
            whole = TICKS * step * int(10**exponent) // 10
            if whole >= took_ns:
                return whole
    return took_ns


def _row(
    entry: Entry,
    at: int,
    whole: Mapping[str, Span],
    from_ns: int,
    total_ns: int,
    colours: Mapping[str, int],
) -> Row:
    if entry.span is None:
        return Row(f"gap{at}", entry.depth, entry.has_children, "gap", entry.note)
    span = normal(whole.get(entry.span.span_id, entry.span))
    kind = word(span)[0]
    is_timed = 0 < span.start_ns <= span.end_ns
    sort = sort_of(span)
    shown, tone = badge(span, sort)
    tokens, cost = usage(span) if sort else (None, None)
    return Row(
        span.span_id,
        entry.depth,
        entry.has_children,
        kind,
        title(span),
        span,
        is_error(span),
        shown,
        tone,
        tokens,
        cost,
        (span.end_ns - span.start_ns) / 1e9 if is_timed else None,
        number(span, "runspan.run.end_uncertainty_s"),
        colours.get(str(span.resource.get("service.name") or ""), 0),
        tuple(_pieces(span, sort, from_ns, total_ns)) if is_timed else (),
        tuple(_marks(span, from_ns, total_ns)) if is_timed else (),
    )


def badge(span: Span, sort: str | None) -> tuple[str, str]:
    """(the one more thing to know of a span at a glance, its tone)."""
    if sort == "llm":
        model = text(span, "gen_ai.response.model") or text(span, "gen_ai.request.model")
        return ("" if model in span.name else model), ""
    if sort == "run":
        ended = status(span)
        if text(span, "runspan.run.unfinished"):
            return "end not seen", "bad"
        if ended not in ("completed", "ok"):
            return ended, "bad" if is_error(span) or ended in ("failed", "expired") else "warn"
    return "", ""


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


def _pieces(span: Span, sort: str | None, from_ns: int, total_ns: int) -> Iterator[Piece]:
    if not any(key.startswith("runspan.run.") for key in span.attributes) or sort != "run":
        yield _piece("plain", span.start_ns, span.end_ns, from_ns, total_ns)
        return
    for phase, start_ns, end_ns in phases(span):
        yield _piece(phase, start_ns, end_ns, from_ns, total_ns)
    if lag_ns := _lag_ns(span):
        yield _piece("lag", span.end_ns, span.end_ns + lag_ns, from_ns, total_ns)


def _piece(kind: str, start_ns: int, end_ns: int, from_ns: int, total_ns: int) -> Piece:
    left, width = _place(start_ns, end_ns, from_ns, total_ns)
    return Piece(kind, left, width, (end_ns - start_ns) / 1e9)


def _place(start_ns: int, end_ns: int, from_ns: int, total_ns: int) -> tuple[float, float]:
    """(left, width) in percent, inside of the axis whatever the times."""
    left = min(max(100 * (start_ns - from_ns) / total_ns, 0), 100 - MIN_PERCENT)
    width = max(100 * (end_ns - start_ns) / total_ns, MIN_PERCENT)
    return round(left, 5), round(min(width, 100 - left), 5)


def _marks(span: Span, from_ns: int, total_ns: int) -> Iterator[Mark]:
    """Events worth a mark on the bar: exceptions, the first token, and what other programs noted; no changes of status."""
    noted = [event for event in span.events if "runspan.run.status" not in event.attributes]
    for event in noted[:MAX_MARKS]:
        if span.start_ns <= event.time_ns <= span.end_ns:
            kind = MARKED_EVENTS.get(event.name, "plain")
            yield Mark(kind, _place(event.time_ns, event.time_ns, from_ns, total_ns)[0], event.name)


def _mini(
    entries: Sequence[Entry], from_ns: int, total_ns: int, kinds: Mapping[str, str] | None
) -> Iterator[tuple[str, float, float]]:
    """Every bar in small, or evenly chosen ones of a long trace."""
    step = max(1, -(-len(entries) // MINI_ROWS))
    for entry in entries[::step]:
        span = entry.span
        if span is None or not 0 < span.start_ns <= span.end_ns:
            continue
        kind = word(normal(span))[0] if kinds is None else kinds[span.span_id]
        kind = "bad" if is_error(span) else kind
        yield (kind, *_place(span.start_ns, span.end_ns, from_ns, total_ns))


def _lag_ns(span: Span) -> int:
    lag_s = number(span, "runspan.run.detection_lag_s") or 0.0
    return int(min(lag_s, 86_400.0) * 1e9) if span.end_ns else 0
