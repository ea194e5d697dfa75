"""`advance` under any order of observations: it never raises, what is over stays over, the same told twice is one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runspan.core import assembly, timing, tools
from runspan.core.conversation import Conversation
from runspan.core.lifecycle import MAX_CHANGES, RunState, advance
from runspan.core.model import Observation, RunStep, SpanData, ToolCall, Usage
from runspan.core.redact import Texts
from tests.core.words import A, S, begun, call, event, poll, submit
from tests.fuzz.spoil import STATUSES

TEXTS = Texts(True, None, 1_000, lambda error: None)

moments = st.integers(0, 300 * S)
stamps = st.none() | st.integers(A - 3, A + 400)
calls = st.lists(st.sampled_from(["call_1", "call_2", "call_3"]), unique=True, max_size=3).map(
    lambda ids: tuple(call(id_) for id_ in ids)
)
told = st.fixed_dictionaries(
    {},
    optional={
        "started_at": stamps,
        "ended_at": stamps,
        "expires_at": stamps,
        "created_at": stamps,
        "required": calls,
        "model": st.sampled_from(["gpt-4o", "o3"]),
        "usage": st.builds(Usage, st.integers(0, 9), st.integers(0, 9)),
    },
)
steps = st.builds(
    RunStep,
    id=st.sampled_from(["step_1", "step_2"]),
    type=st.sampled_from(["tool_calls", "message_creation", "of_later_days"]),
    status=st.none() | st.sampled_from(STATUSES),
    tool_calls=st.lists(
        st.builds(
            ToolCall,
            st.sampled_from(["", "call_1", "call_2"]),
            st.sampled_from(["function", "code_interpreter", "file_search", "of_later_days"]),
            output=st.none() | st.text(max_size=3),
        ),
        max_size=2,
    ).map(tuple),
    created_at=stamps,
    ended_at=stamps,
    seen_ns=st.none() | moments,
    done_ns=st.none() | moments,
)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    at_ns, took_ns = draw(moments), draw(st.integers(0, 5 * S))
    status = draw(st.none() | st.sampled_from(STATUSES))
    kind = draw(st.sampled_from(["poll", "event", "submit", "steps"]))
    if kind == "event":
        return event(at_ns, status, **draw(told))
    if kind == "submit":
        outputs = {f"call_{n}": "22 C" for n in draw(st.sets(st.integers(1, 3), max_size=3))}
        return submit(at_ns, at_ns + took_ns, status, **outputs)
    found = poll(at_ns, at_ns + took_ns, status, **draw(told))
    if kind == "steps":
        return replace(
            found, steps=tuple(draw(st.lists(steps, max_size=3))), all_steps=draw(st.booleans()), polls=0
        )
    return found


lives = st.lists(observations(), max_size=12)


def lived(life: list[Observation]) -> RunState:
    state = begun()
    for seen in life:
        state = advance(state, seen)
    return state


def spans(state: RunState) -> SpanData:
    unfinished = None if state.is_over else "shutdown"
    return assembly.assemble(state, Conversation(), None, TEXTS, unfinished=unfinished)


def without_counts(state: RunState) -> RunState:
    return replace(state, polls=0)


@given(lives)
def test_what_is_over_stays_over_with_the_status_it_ended_in(life: list[Observation]) -> None:
    state, ended = begun(), None
    for seen in life:
        state = advance(state, seen)
        ended = ended or (state.run.status if state.is_over else None)
        assert state.is_over is (ended is not None)
        if ended is not None:
            assert state.run.status == ended


@given(lives, st.data())
def test_the_same_observation_twice_in_a_row_is_one(life: list[Observation], data: st.DataObject) -> None:
    state = begun()
    for seen in life:
        once = advance(state, seen)
        again = advance(once, seen)
        assert without_counts(again) == without_counts(once)
        assert again.polls == once.polls + (once.polls - state.polls)
        state = once


@given(lives)
def test_everything_lies_inside_the_run_and_no_moment_before_its_beginning(life: list[Observation]) -> None:
    whole = spans(lived(life))
    assert whole.start_ns <= whole.end_ns
    for child in whole.children:
        assert whole.start_ns <= child.start_ns <= child.end_ns <= whole.end_ns
    for moment in whole.events:
        assert whole.start_ns <= moment.at_ns <= whole.end_ns
    assert [e.at_ns for e in whole.events] == sorted(e.at_ns for e in whole.events)


@given(lives)
def test_times_waited_and_worked_fit_into_the_run(life: list[Observation]) -> None:
    line = timing.timeline(lived(life))
    assert min(line.queue_ns, line.active_ns, line.tool_wait_ns) >= 0
    assert line.queue_ns + line.active_ns + line.tool_wait_ns <= line.end.at_ns - line.start_ns
    assert all(a.moment.at_ns <= b.moment.at_ns for a, b in pairwise(line.entries))


@given(lives)
def test_each_call_has_one_span_whether_its_round_its_step_or_both_told_of_it(
    life: list[Observation],
) -> None:
    state = lived(life)
    used = tools.used(state, timing.timeline(state), TEXTS)
    asked = Counter(c.id for r in state.rounds for c in r.calls)
    done = Counter(c.id for s in state.steps.values() for c in s.tool_calls)
    known = Counter(use.call.id for use in used)
    assert asked | done <= known <= asked + done


@given(lives)
def test_memory_of_one_run_is_bounded(life: list[Observation]) -> None:
    state = lived(life * 40)
    assert len(state.changes) <= MAX_CHANGES + 2
    assert len(state.rounds) <= MAX_CHANGES + 2


# One real life: two rounds of tools, then the end. What was asked for first may be heard last.
LIFE: list[Observation] = [
    poll(0, 1 * S, "queued"),
    poll(2 * S, 3 * S, "in_progress", started_at=A + 2),
    poll(4 * S, 5 * S, "requires_action", started_at=A + 2, required=(call("call_1"), call("call_2"))),
    submit(6 * S, 7 * S, "queued", call_1="22 C", call_2="23 C"),
    poll(8 * S, 9 * S, "in_progress", started_at=A + 8),
    poll(10 * S, 11 * S, "requires_action", started_at=A + 8, required=(call("call_3"),)),
    submit(12 * S, 13 * S, "queued", call_3="24 C"),
    poll(14 * S, 15 * S, "in_progress", started_at=A + 14),
    poll(16 * S, 17 * S, "completed", started_at=A + 14, ended_at=A + 16, usage=Usage(7, 3), model="gpt-4o"),
]


@given(st.permutations(LIFE), st.lists(st.sampled_from(LIFE), max_size=5))
def test_a_whole_life_in_any_order_ends_in_the_same_facts(
    life: list[Observation], again: list[Observation]
) -> None:
    state = lived([*life, *again])
    assert (state.run.status, state.run.usage, state.run.model) == ("completed", Usage(7, 3), "gpt-4o")
    assert state.over_seen == (16 * S, 17 * S)
    outputs: dict[str, Any] = {c.id: c.output for r in state.rounds for c in r.calls}
    assert outputs.items() <= {"call_1": "22 C", "call_2": "23 C", "call_3": "24 C"}.items()


@given(
    st.lists(st.sampled_from(LIFE[:-1]), max_size=6).flatmap(lambda more: st.permutations(LIFE[:-1] + more))
)
def test_polls_that_overlap_or_repeat_lose_nothing_that_comes_at_the_end(life: list[Observation]) -> None:
    state = lived([*life, LIFE[-1]])
    assert state.run.status == "completed"
    assert spans(state).children[0].facts.run.usage == Usage(7, 3)  # type: ignore[union-attr]
