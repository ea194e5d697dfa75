"""What is said of the end of a run while a stream of it is open.

Such a run is not over: its end is where its stream ends. Yet it may be said to be: by a poll from elsewhere while the app reads
slowly, or by the first event, of servers that keep a run as `completed` when they make it. The word is kept until the stream
ends; if that tells no end itself, the word holds.
"""

from __future__ import annotations

from msgspec.structs import replace

from ..core.lifecycle import advance
from ..core.model import Observation, Phase, Source
from . import clock
from .live_run import Live


def believed(live: Live, seen: Observation) -> Observation:
    """`seen` as far as it may be taken in now."""
    is_early = seen.open_status is not None or seen.source is not Source.STREAM
    if not live.open_streams or not is_early:
        return seen
    claim = next((run for run in seen.runs if run.id == live.key.run_id and run.phase is Phase.OVER), None)
    if claim is None:
        return seen
    if live.claim is None:
        live.claimed_ns = clock.now_ns()
    live.claim = replace(seen, runs=(claim,), messages=(), steps=(), outputs=(), polls=0)
    others = tuple(run for run in seen.runs if run is not claim)
    if seen.open_status is not None:
        phase = live.api.phase_of(seen.open_status)
        alive = replace(claim, status=seen.open_status, phase=phase, outcome=None)
        return replace(seen, runs=(*others, alive))
    live.state = replace(live.state, polls=live.state.polls + seen.polls)
    return replace(seen, runs=others)


def settle(live: Live, at_ns: int, since_ns: int | None = None) -> bool:
    """The streams of the run ended, between `since_ns` and `at_ns`. True: it is over because of what was said of it before.

    A server that knows when a run ended is believed: its answer bounds the end.
    """
    claim, live.claim = live.claim, None
    if claim is None:
        return False
    was_over = live.state.is_over
    is_stamped = claim.source is not Source.STREAM and claim.runs[0].ended_at is not None
    if not is_stamped:
        since_ns = at_ns if since_ns is None else since_ns
        claim = replace(claim, request_ns=since_ns, response_ns=at_ns, source=Source.STREAM)
    live.state = advance(live.state, replace(claim, open_status=None))
    return not was_over and live.state.is_over
