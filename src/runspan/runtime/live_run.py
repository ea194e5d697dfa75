"""One live run of ours: its state, its span, and what it still waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from ..core import conversation as thread
from ..core import run_messages
from ..core.conversation import Conversation
from ..core.ids import StreamIds
from ..core.lifecycle import RunState
from ..core.model import Observation, Run, RunKey, RunRequest
from .records import BackgroundClient, Call, LiveSpan

SECOND_NS = 1_000_000_000

DEFAULT_LIFE_S = 15 * 60  # where the creating response has no expires_at
GRACE_S = 60
FIRST_LOOK_S = 60

BASE_WEIGHT = 4_096  # bytes of one live run beside its texts, measured in `make bench`


@dataclass(slots=True, eq=False)
class Live:
    """Worker's own, never shared. Times are on the one clock."""

    state: RunState
    span: LiveSpan
    via: BackgroundClient | None
    expires_ns: int  # time to live: then it goes out as expired_unseen
    last_heard_ns: int
    look_after_ns: int = FIRST_LOOK_S * SECOND_NS  # silence before the owner looks itself; doubles
    due_ns: int = 0  # the next thing to do for it; timers of other times are stale
    ended_ns: int | None = None  # when its end came to our knowledge: the linger starts
    open_streams: int = 0  # those that may still tell something
    claim: Observation | None = None  # says that it is over, while a stream of it is open
    claimed_ns: int = 0
    message_ids: StreamIds = field(default_factory=StreamIds)  # of what its streams tell
    step_ids: StreamIds = field(default_factory=StreamIds)
    closed_early: bool = False  # a stream of it was closed before its end was seen
    asked: set[str] = field(default_factory=set)  # GETs sent and not answered yet
    tried: set[str] = field(default_factory=set)  # GETs answered, well or not
    noted_error: int | None = None  # identity of the handler's exception that is noted already
    weight: int = BASE_WEIGHT

    @property
    def key(self) -> RunKey:
        return self.state.key

    def ending(self, unseen: str) -> str | None:
        """Why it goes out unfinished, if it does; `unseen` where no closed stream is the reason."""
        if self.state.is_over:
            return None
        return "stream_closed" if self.closed_early and unseen != "evicted" else unseen


def missing(live: Live, log: Conversation, captures: bool) -> list[str]:
    """What the run still lacks, in the order in which it is worth fetching."""
    state = live.state
    if not state.is_over:
        return ["run"]
    lacks = []
    if captures and not (run_messages.has_all_outputs(log, state) and thread.has_all_inputs(log)):
        lacks.append("messages")
    if (
        (_may_have_steps(state) or _has_unknown_calls(state, captures))
        and not state.has_all_steps
        and not (state.over_streamed and state.request.stream and state.steps)
    ):
        lacks.append("steps")
    return lacks


def lacking(live: Live, log: Conversation, captures: bool) -> tuple[str, ...]:
    """What the trace of an ended run lacks. Of inputs that are not known `runspan.input.incomplete` tells."""
    has_outputs = live.state.is_over and run_messages.has_all_outputs(log, live.state)
    lacks = missing(live, log, captures)
    return tuple(what for what in lacks if what == "steps" or (what == "messages" and not has_outputs))


def _may_have_steps(state: RunState) -> bool:
    """Server-side tools are known only from steps; function calls from `requires_action`, unless others saw the run through."""
    return any(tool.get("type") != "function" or state.noticed_ns is None for tool in state.run.tools)


def _has_unknown_calls(state: RunState, captures: bool) -> bool:
    """Calls that others saw asked for: steps tell their names and arguments."""
    calls = [call for tool_round in state.rounds for call in tool_round.calls]
    return any(call.name is None or (captures and call.arguments is None) for call in calls)


def time_to_live_ns(state: RunState) -> int:
    run = state.run
    seconds = DEFAULT_LIFE_S
    if (
        run.expires_at is not None
        and run.created_at is not None
        and 0 < run.expires_at - run.created_at < 7 * 86_400
    ):
        seconds = run.expires_at - run.created_at
    return (seconds + GRACE_S) * SECOND_NS


def first_state(
    call: Call, key: RunKey, request: RunRequest, run: Run, response_ns: int, **more: Any
) -> RunState:
    """Before its first status is taken in; that comes with the observation of the same response."""
    return RunState(
        key=key,
        server=call.server,
        request=request,
        request_ns=call.request_ns,
        response_ns=response_ns,
        run=replace(run, status=None),
        last_alive_ns=call.request_ns,
        last_seen_ns=response_ns,
        **more,
    )
