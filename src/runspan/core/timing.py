"""Where things lie in time: one local clock, and server stamps that are whole seconds of another clock.

A stamp C means some moment of [C, C+1). The creating response gives A = `created_at`, which lay between our request and its
response, so C lies in [request + C-A-1, response + C-A+1] on our clock, whatever the server's clock says. What polls saw narrows
that further. No estimate of the clocks' difference is needed or made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from .lifecycle import RunState
from .model import Outcome, Phase, RunFacts, RunStep, SpanData

SECOND_NS = 1_000_000_000

Facts = TypeVar("Facts")


class Moment(Struct, frozen=True, gc=False):
    """A moment on our clock, known to within `width_ns` (0: watched). `by_server`: a server stamp helped to find it."""

    at_ns: int
    width_ns: int = 0
    by_server: bool = False


class Entry(Struct, frozen=True, gc=False):
    """One status change, placed."""

    status: str
    phase: Phase | None  # None: the API package does not know the status, and the run stays in its phase
    moment: Moment


class Timeline(Struct, frozen=True, gc=False):
    """A Run on our clock. The three sums add up to end - start."""

    start_ns: int
    end: Moment
    entries: tuple[Entry, ...]
    active_from_ns: int  # first moment known at work, else start
    queue_ns: int
    active_ns: int
    tool_wait_ns: int


def place(state: RunState, stamp: int | None, earliest_ns: int, latest_ns: int) -> Moment:
    """The midpoint of what is possible between `earliest_ns` and `latest_ns`, given the server's stamp if there is one."""
    if earliest_ns >= latest_ns:
        return Moment(latest_ns)
    if stamp is not None and state.created_at is not None:
        since_created_ns = (stamp - state.created_at) * SECOND_NS
        low = max(earliest_ns, state.request_ns + since_created_ns - SECOND_NS)
        high = min(latest_ns, state.response_ns + since_created_ns + SECOND_NS)
        if low <= high:
            return Moment((low + high) // 2, high - low, by_server=True)
    return Moment((earliest_ns + latest_ns) // 2, latest_ns - earliest_ns)


def end(state: RunState) -> Moment:
    """When the Run ended; for one whose end was never seen, when it was last heard of."""
    if state.over_seen is None:
        return Moment(max(state.last_seen_ns, state.response_ns))
    since_ns, latest_ns = state.over_seen
    earliest_ns = since_ns if state.over_streamed else state.last_alive_ns
    run = state.run
    stamp = run.expires_at if run.ended_at is None and run.outcome is Outcome.EXPIRED else run.ended_at
    return place(state, stamp, max(earliest_ns, state.request_ns), latest_ns)


def first_token(state: RunState, line: Timeline) -> int | None:
    """When the first text came, inside the Run, while it was at work; in a stream read slowly in the middle of what is possible."""
    arrival_ns, since_ns = state.first_token_ns, state.first_token_since_ns
    if arrival_ns is None:
        return None
    arrival_ns = max(min(arrival_ns, line.end.at_ns), line.start_ns)
    since_ns = arrival_ns if since_ns is None else max(since_ns, line.active_from_ns)
    return place(state, None, since_ns, arrival_ns).at_ns


_SUM_OF_PHASE: Mapping[Phase, str] = {
    Phase.REQUESTED: "queue_ns",
    Phase.QUEUED: "queue_ns",
    Phase.ACTIVE: "active_ns",
    Phase.CANCELLING: "active_ns",
    Phase.WAITING: "tool_wait_ns",
}


def timeline(state: RunState) -> Timeline:
    """The Run's status changes in order, inside [start, end], with the time spent in each phase."""
    start_ns = state.request_ns
    ended = end(state)
    end_ns = max(ended.at_ns, start_ns)
    entries: list[Entry] = []
    at_ns = start_ns
    for entry in _placed(state, ended):
        at_ns = min(max(entry.moment.at_ns, at_ns), end_ns)
        if at_ns != entry.moment.at_ns:
            entry = replace(entry, moment=replace(entry.moment, at_ns=at_ns))
        entries.append(entry)
    active = [e.moment.at_ns for e in entries if e.phase is Phase.ACTIVE]
    return Timeline(
        start_ns=start_ns,
        end=replace(ended, at_ns=end_ns),
        entries=tuple(entries),
        active_from_ns=min(active, default=start_ns),
        **_sums(entries, state.request.first_phase, start_ns, end_ns),
    )


def _sums(entries: list[Entry], phase: Phase, start_ns: int, end_ns: int) -> dict[str, int]:
    sums = dict.fromkeys(_SUM_OF_PHASE.values(), 0)
    since_ns = start_ns
    for next_phase, until_ns in [*[(e.phase, e.moment.at_ns) for e in entries], (None, end_ns)]:
        if phase in _SUM_OF_PHASE:
            sums[_SUM_OF_PHASE[phase]] += until_ns - since_ns
        phase, since_ns = next_phase or phase, until_ns
    return sums


def _placed(state: RunState, ended: Moment) -> Iterator[Entry]:
    """Each change with its moment. Two kinds have stamps: the first QUEUED (`created_at`) and ACTIVE (`started_at`)."""
    placed_at: int | None = None  # the `started_at` that was used last
    is_active = False
    for change in state.changes:
        is_over = change.phase is Phase.OVER
        latest_ns = ended.at_ns if is_over else change.latest_ns
        started_at = None if change.started_at == placed_at else change.started_at
        is_past_active = change.phase not in (Phase.QUEUED, Phase.ACTIVE)
        if is_past_active and started_at and not (is_active and placed_at is None):
            # A short run may be past ACTIVE before anyone saw it there; `started_at` still tells.
            moment = place(state, started_at, min(change.earliest_ns, latest_ns), latest_ns)
            yield Entry(state.vocabulary.active, Phase.ACTIVE, moment)
            is_active, placed_at = True, started_at
        if is_over:
            yield Entry(change.status, change.phase, ended)
            continue
        stamp = None
        if change.phase is Phase.ACTIVE:
            stamp, is_active, placed_at = started_at, True, change.started_at or placed_at
        elif change.phase is Phase.QUEUED:
            stamp, is_active = state.created_at if change is state.changes[0] else None, False
        yield Entry(change.status, change.phase, place(state, stamp, change.earliest_ns, latest_ns))


def place_step(state: RunState, step: RunStep, lower_ns: int, upper_ns: int) -> tuple[int, int]:
    """Start and end of a step: by its events where it was streamed, else by its stamps inside [lower_ns, upper_ns]."""
    of_start = step.created_at, step.seen_since_ns, step.seen_ns
    start_ns = _place_event(state, *of_start, lower_ns, upper_ns, otherwise=lower_ns)
    of_end = step.ended_at, step.done_since_ns, step.done_ns
    end_ns = _place_event(state, *of_end, start_ns, upper_ns, otherwise=upper_ns)
    return start_ns, max(start_ns, end_ns)


def _place_event(
    state: RunState,
    stamp: int | None,
    since_ns: int | None,
    arrival_ns: int | None,
    lower_ns: int,
    upper_ns: int,
    *,
    otherwise: int,
) -> int:
    """Events of a stream are in order, so where it need not be it is neither before the last one nor beyond the run's end."""
    if arrival_ns is None:
        return otherwise if stamp is None else place(state, stamp, lower_ns, upper_ns).at_ns
    if since_ns is None or since_ns >= arrival_ns:
        return arrival_ns
    latest_ns = max(since_ns, min(arrival_ns, upper_ns))
    return place(state, stamp, min(max(since_ns, lower_ns), latest_ns), latest_ns).at_ns


def moved(data: SpanData, by_ns: int) -> SpanData:
    """The same span, and all below it, at other times: onto the wall clock's."""
    if not by_ns:
        return data
    return replace(
        data,
        start_ns=data.start_ns + by_ns,
        end_ns=data.end_ns + by_ns,
        facts=_moved_facts(data.facts, by_ns),
        event_facts=_moved_facts(data.event_facts, by_ns),
        events=tuple(replace(event, at_ns=event.at_ns + by_ns) for event in data.events),
        children=tuple(moved(child, by_ns) for child in data.children),
    )


def _moved_facts(facts: Facts, by_ns: int) -> Facts:
    if not isinstance(facts, RunFacts) or facts.first_chunk_ns is None:
        return facts
    return replace(facts, first_chunk_ns=facts.first_chunk_ns + by_ns)
