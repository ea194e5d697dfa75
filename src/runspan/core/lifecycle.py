"""The life of one Run: `advance(RunState, Observation) -> RunState`, by table.

Observations come in any order and more than once (two pollers, a poll that overlaps a stream), so a status is taken in only two
cases: it leads forward, or it was asked for after the present status had been seen and the table knows the way back.
`OVER` has no way out: terminal is absorbing. The status comes from the run object, never from an event's name: the two may differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import astuple, replace

from . import steps as steps_of
from .model import (
    ApiError,
    Observation,
    Phase,
    Run,
    RunKey,
    RunRequest,
    RunStep,
    Server,
    Source,
    SpanEvent,
    ToolCall,
    Vocabulary,
)
from .order import queues

FORWARD: Mapping[Phase, frozenset[Phase]] = {
    Phase.REQUESTED: frozenset({Phase.QUEUED, Phase.ACTIVE, Phase.WAITING, Phase.CANCELLING, Phase.OVER}),
    Phase.QUEUED: frozenset({Phase.ACTIVE, Phase.WAITING, Phase.CANCELLING, Phase.OVER}),
    Phase.ACTIVE: frozenset({Phase.WAITING, Phase.CANCELLING, Phase.OVER}),
    Phase.WAITING: frozenset({Phase.CANCELLING, Phase.OVER}),
    Phase.CANCELLING: frozenset({Phase.OVER}),
    Phase.OVER: frozenset(),
}

# The ways back: a Run whose tool outputs were submitted (by whomever) queues again.
BACK: Mapping[Phase, frozenset[Phase]] = {
    Phase.ACTIVE: frozenset({Phase.QUEUED}),
    Phase.WAITING: frozenset({Phase.QUEUED, Phase.ACTIVE}),
}

MAX_CHANGES = 256  # of one Run; a server that flips its status for ever must not fill our memory


class Change(Struct, frozen=True, gc=False):
    """The Run took on `status` at some moment of [earliest_ns, latest_ns]; both equal where the app waited for its event."""

    status: str
    phase: Phase | None
    earliest_ns: int
    latest_ns: int
    # As said with this status: servers set it anew when a Run goes on after its tools.
    started_at: int | None = None


class ToolRound(Struct, frozen=True, gc=False):
    """One wait for tool outputs and its answer. `closed_ns` is the request that brought the outputs."""

    calls: tuple[ToolCall, ...]
    opened: Change
    closed_ns: int | None = None


class RunState(Struct, frozen=True, gc=False, kw_only=True):
    """All that is known of one Run of ours."""

    key: RunKey
    server: Server
    request: RunRequest
    request_ns: int  # of the POST that created it
    response_ns: int
    run: Run
    created_at: int | None = None  # as the creating response had it
    phase: Phase = Phase.REQUESTED
    changes: tuple[Change, ...] = ()
    sighted_ns: int = 0  # request of the last observation that saw the present status
    last_alive_ns: int = 0  # request of the last observation that saw it alive
    last_seen_ns: int = 0  # response of the last observation of any kind
    polls: int = 0
    rounds: tuple[ToolRound, ...] = ()
    steps: Mapping[str, RunStep] = field(default_factory=dict)
    has_all_steps: bool = False
    over_seen: tuple[int, int] | None = None  # request, response of the first observation that saw it over
    over_streamed: bool = False
    noticed_ns: int | None = None  # when the app itself first saw it over
    first_token_ns: int | None = None  # its arrival
    first_token_since_ns: int | None = None  # the server sent it then at the earliest; None: when it arrived
    notes: tuple[SpanEvent, ...] = ()  # handler exceptions and the like
    stream_error: ApiError | None = None  # what broke the app's stream of this Run
    # Message id -> text of a stream cut before it completed.
    partial: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False  # a stream of it was left, or broke, before its end
    origin: str | None = None
    vocabulary: Vocabulary = Vocabulary()
    api: str | None = None  # its name
    shown_conversation_id: str | None = None  # where it is not the key's

    @property
    def is_over(self) -> bool:
        return self.phase is Phase.OVER

    @property
    def conversation_id(self) -> str:
        """As it is told to others."""
        return self.run.belongs_to or self.shown_conversation_id or self.key.conversation_id


def advance(state: RunState, seen: Observation) -> RunState:
    """What is known of the Run after `seen`, which may also speak of other runs."""
    if seen.run_id == state.key.run_id:
        if seen.outputs:  # before the run of the same response, which queues because of them
            state = _answer(state, seen)
        state = _add_steps(state, seen)
    for run in seen.runs:
        if run.id == state.key.run_id:
            state = _sight(state, seen, run)
    return state


def polled_unchanged(state: RunState, number: int, asked_ns: int, answered_ns: int) -> RunState:
    """The Run after so many polls that show it alive, as the poll before them did; times of the last one."""
    return replace(
        state,
        polls=state.polls + number,
        last_seen_ns=max(state.last_seen_ns, answered_ns),
        last_alive_ns=max(state.last_alive_ns, asked_ns),
        sighted_ns=state.sighted_ns if state.is_over else max(state.sighted_ns, asked_ns),
    )


def _sight(state: RunState, seen: Observation, run: Run) -> RunState:
    phase = run.phase
    # An event may be read long after it was sent.
    shows_alive = phase is not Phase.OVER and seen.source is not Source.STREAM
    state = replace(
        state,
        polls=state.polls + seen.polls,
        last_seen_ns=max(state.last_seen_ns, seen.response_ns),
        last_alive_ns=max(state.last_alive_ns, seen.request_ns if shows_alive else state.last_alive_ns),
    )
    if state.created_at is None and state.origin == "adopted":  # taken over before anything was read of it
        state = replace(state, created_at=run.created_at)
    if phase is Phase.OVER:
        return _end(state, seen, run)
    if phase is Phase.WAITING and _is_answered(state, seen, run):  # a poll that overlapped the answer
        return _name_calls(state, run)
    if state.is_over:
        return state
    if phase is Phase.WAITING:
        state = _name_calls(state, run)
    if state.changes and run.status == state.changes[-1].status:
        phase = phase or state.run.phase  # a status of later days leaves it
        known = replace(_with(state.run, run, deep=False), status=run.status, phase=phase)
        changes = state.changes
        if changes[-1].started_at is None and run.started_at is not None:
            changes = (*changes[:-1], replace(changes[-1], started_at=run.started_at))
        return replace(state, changes=changes, sighted_ns=max(state.sighted_ns, seen.request_ns), run=known)
    if len(state.changes) >= MAX_CHANGES or not _leads(state, seen, run, phase):
        return state
    change = _change(state, seen, run)
    rounds = state.rounds
    is_open = bool(rounds) and rounds[-1].closed_ns is None
    if phase is Phase.WAITING and not is_open:
        rounds = (*rounds, ToolRound(run.required, change))
    elif state.phase is Phase.WAITING and phase not in (None, Phase.WAITING) and is_open:
        # Somebody else answered.
        rounds = (*rounds[:-1], replace(rounds[-1], closed_ns=change.latest_ns))
    return replace(
        state,
        phase=phase or state.phase,
        changes=(*state.changes, change),
        sighted_ns=seen.request_ns,
        run=_with(state.run, run),
        rounds=rounds,
    )


def _leads(state: RunState, seen: Observation, run: Run, phase: Phase | None) -> bool:
    # Events of a stream come in order, whenever they were sent.
    true_from_ns = seen.response_ns if seen.source is Source.STREAM else seen.request_ns
    is_newer = not state.changes or true_from_ns >= state.changes[-1].latest_ns
    if phase is None:  # a status of later days: noted, and the phase stays
        return is_newer and bool(run.status)
    if phase is state.phase:  # after a status of later days
        return is_newer
    goes_back = is_newer and state.vocabulary.requeues and phase in BACK.get(state.phase, ())
    return phase in FORWARD[state.phase] or goes_back


def _is_answered(state: RunState, seen: Observation, run: Run) -> bool:
    """Whether it is an old word. Some servers number the calls of each round anew, so the ids alone don't tell."""
    ids = {call.id for call in run.required}
    if not ids or not _answered(state) >= ids:
        return False
    last = [r for r in state.rounds if r.closed_ns is not None and any(c.id in ids for c in r.calls)][-1]
    answered_ns = last.closed_ns or 0
    true_from_ns = seen.response_ns if seen.source is Source.STREAM else seen.request_ns
    # Whether the server itself said since then that the run goes on.
    has_moved = answered_ns < state.sighted_ns <= true_from_ns
    return true_from_ns < answered_ns or (not has_moved and _are_same(run.required, last.calls))


def _are_same(required: Iterable[ToolCall], known: Iterable[ToolCall]) -> bool:
    """As far as the known ones were ever told."""
    told = {call.id: (call.name, call.arguments) for call in required}
    return all(
        told.get(call.id) == (call.name, call.arguments) for call in known if call.arguments is not None
    )


def _answered(state: RunState) -> frozenset[str]:
    return frozenset(call.id for r in state.rounds if r.closed_ns is not None for call in r.calls)


def _name_calls(state: RunState, run: Run) -> RunState:
    """A round known from its outputs alone, or from another process, learns the names and arguments of its calls."""
    asked = {call.id: call for call in run.required}
    if all(c.arguments is not None for r in state.rounds for c in r.calls if c.id in asked):
        return state
    rounds = tuple(
        replace(
            r,
            calls=tuple(
                replace(asked[c.id], output=c.output) if c.id in asked and c.arguments is None else c
                for c in r.calls
            ),
        )
        for r in state.rounds
    )
    return replace(state, rounds=rounds)


def _change(state: RunState, seen: Observation, run: Run) -> Change:
    is_streamed = seen.source is Source.STREAM
    earliest_ns = seen.request_ns if is_streamed else max(state.sighted_ns, state.request_ns)
    return Change(
        run.status or "", run.phase, min(earliest_ns, seen.response_ns), seen.response_ns, run.started_at
    )


def _end(state: RunState, seen: Observation, run: Run) -> RunState:
    is_streamed = seen.source is Source.STREAM
    noticed_ns = state.noticed_ns
    if seen.source is not Source.FETCH:
        noticed_ns = seen.response_ns if noticed_ns is None else min(noticed_ns, seen.response_ns)
    if state.is_over:
        if state.over_seen is None or seen.response_ns < state.over_seen[1]:
            state = replace(state, over_seen=(seen.request_ns, seen.response_ns), over_streamed=is_streamed)
        started_at = run.started_at if state.run.started_at is None else state.run.started_at
        known = replace(_with(run, state.run), started_at=started_at)
        return replace(state, noticed_ns=noticed_ns, run=known)
    # The end is placed by `timing.end` from last_alive_ns and over_seen, so this change needs no bounds of its own.
    change = _change(state, seen, run)
    return replace(
        state,
        phase=Phase.OVER,
        changes=(*state.changes, change),
        over_seen=(seen.request_ns, seen.response_ns),
        over_streamed=is_streamed,
        noticed_ns=noticed_ns,
        run=replace(_with(state.run, run), required=run.required),  # what it asked for before is answered
    )


def _answer(state: RunState, seen: Observation) -> RunState:
    """The app submitted tool outputs: the wait ended when it asked, whatever the response says."""
    is_open = bool(state.rounds) and state.rounds[-1].closed_ns is None
    closed, opened = (state.rounds[:-1], state.rounds[-1]) if is_open else (state.rounds, None)
    asked = {call.id for call in opened.calls} if opened else set()
    # Odd servers don't say what they ask for.
    more = tuple(call for call in seen.outputs if call.id not in asked)
    is_this = opened is None or not asked or len(more) < len(seen.outputs)
    is_named = bool(asked) and is_this
    is_repeated = not is_named and _answered(state).issuperset(call.id for call in seen.outputs)
    if state.is_over or is_repeated or len(state.rounds) >= MAX_CHANGES:
        return replace(state, rounds=_with_outputs(state.rounds, seen.outputs))
    if opened is None or not is_this:  # a wait that we never saw
        unseen = Change(state.vocabulary.waiting, Phase.WAITING, seen.request_ns, seen.request_ns)
        answered = ToolRound(seen.outputs, unseen, seen.request_ns)
    else:
        answered = replace(opened, calls=(*opened.calls, *more), closed_ns=seen.request_ns)
    (answered,) = _with_outputs((answered,), seen.outputs)
    rounds = (*closed, answered) if is_this or opened is None else (*closed, answered, opened)
    state = replace(state, rounds=rounds)
    if state.phase is Phase.WAITING and is_this:
        queued = Change(state.vocabulary.queued, Phase.QUEUED, seen.request_ns, seen.request_ns)
        state = replace(
            state, phase=Phase.QUEUED, changes=(*state.changes, queued), sighted_ns=seen.request_ns
        )
    return state


def _with_outputs(rounds: tuple[ToolRound, ...], outputs: Iterable[ToolCall]) -> tuple[ToolRound, ...]:
    """Each output with one call of its id, those of the newest round first."""
    left = queues((answer.id, answer.output) for answer in outputs)

    def filled(call: ToolCall) -> ToolCall:
        answers = left.get(call.id)
        if not answers or (call.output is not None and call.output != answers[0]):
            return call
        return replace(call, output=answers.popleft())

    done = [replace(r, calls=tuple(map(filled, r.calls))) for r in reversed(rounds)]
    return tuple(reversed(done))


def _add_steps(state: RunState, seen: Observation) -> RunState:
    if not seen.steps and not seen.all_steps:
        return state
    steps = dict(state.steps)
    is_told_alone = seen.source is Source.STREAM and not seen.all_steps
    told = seen.steps if is_told_alone else steps_of.recognised(steps, seen)
    for step in told:
        known = steps.get(step.id)
        steps[step.id] = steps_of.merge(known, step) if known else step
    if seen.all_steps:  # the page tells their order
        steps = {step.id: steps[step.id] for step in told} | steps
    return replace(state, steps=steps, has_all_steps=state.has_all_steps or seen.all_steps)


# What a poll of an unchanged status can teach. A stream gives whole objects, a poll of a live Run only scalars.
_SCALARS = ("started_at", "expires_at")


def _with(known: Run, new: Run, *, deep: bool = True) -> Run:
    """`known` with what `new` says; what `new` leaves out stays (`expires_at` is null once a Run is over)."""
    if not deep:
        missing = {
            n: getattr(new, n) for n in _SCALARS if getattr(known, n) is None and getattr(new, n) is not None
        }
        return replace(known, **missing) if missing else known
    kept = {
        name: old
        for name, old, said in zip(Run.__struct_fields__, astuple(known), astuple(new), strict=True)
        if not said and said in (None, (), {}) and old is not None
    }
    # The API moves it at each restart (recorded); the first one is the Run's.
    if known.started_at is not None:
        kept["started_at"] = known.started_at
    return replace(new, **kept)
