"""What a run put out, in the order in which it came."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.assembly import assemble
from runspan.core.conversation import Conversation
from runspan.core.lifecycle import RunState
from runspan.core.model import Document, Message, Part, RunFacts, RunStep, ToolCall
from runspan.core.redact import Texts
from runspan.core.timing import timeline
from runspan.core.tools import used
from runspan.core.transcript import outputs
from tests.core.words import KEY, A, S, after, begun, call, event, poll, said, seen, submit

CODE = ToolCall("k1", *("code_interpreter",) * 2, "print(1)", outputs=(Part("logs", "1"),))


def wrote(text: str, id_: str, created_at: int) -> Message:
    return said(text, id_, "assistant", created_at=created_at, run_id=KEY.run_id)


def shown(state: RunState, *messages: Message, captures: bool = True) -> list[Any]:
    """`(role, [text or type and call id of each part])`"""
    facts = assemble(state, Conversation(messages), None, Texts(captures)).facts
    assert isinstance(facts, RunFacts)
    return [(m.role, [f"{p.type} {p.call.id}" if p.call else p.text for p in m.parts]) for m in facts.outputs]


def asks(at: int, *ids: str) -> Any:
    return event(at * S, "requires_action", required=tuple(map(call, ids)))


ROUNDS = after(
    event(S, "in_progress"),
    asks(2, "c1", "c2"),
    submit(4 * S, 4 * S, c1="1", c2="2"),
    event(5 * S, "in_progress"),
    asks(6, "c3"),
    submit(8 * S, 8 * S, c3="3"),
    event(9 * S, "completed"),
    state=begun(0, 0),
)
FIRST = ("assistant", ["tool_call c1", "tool_call c2"])
ANSWERED = ("tool", ["tool_call_response c1", "tool_call_response c2"])
SECOND = [("assistant", ["tool_call c3"]), ("tool", ["tool_call_response c3"])]


def test_rounds_stand_before_the_answer_they_led_to() -> None:
    assert shown(ROUNDS, wrote("done", "m1", A + 9)) == [FIRST, ANSWERED, *SECOND, ("assistant", ["done"])]


def test_a_message_that_was_there_before_a_round_stands_before_it() -> None:
    found = shown(ROUNDS, wrote("Let me see.", "m1", A + 4), wrote("done", "m2", A + 9))
    assert found == [FIRST, ANSWERED, ("assistant", ["Let me see."]), *SECOND, ("assistant", ["done"])]


@pytest.mark.parametrize(
    ("created_at", "is_before"),
    [(A + 5, True), (A + 6, False), (A + 4, True), (None, False)],
    ids=["the second before", "in its second", "long before", "nobody knows"],
)
def test_only_what_was_certainly_there_stands_before_a_round(created_at: int | None, is_before: bool) -> None:
    message = replace(wrote("Hm.", "m1", A), created_at=created_at)
    hm = ("assistant", ["Hm."])
    expected = [FIRST, ANSWERED, hm, *SECOND] if is_before else [FIRST, ANSWERED, *SECOND, hm]
    assert shown(ROUNDS, message) == expected
    unstamped = replace(ROUNDS, created_at=None)
    assert shown(unstamped, message) == [FIRST, ANSWERED, *SECOND, hm]


def test_a_message_among_the_steps_and_a_round_that_is_not_are_told_by_their_times() -> None:
    step = RunStep("s0", "message_creation", message_id="m1")
    state = after(seen(10 * S, 10 * S, run_id=KEY.run_id, steps=(step,), all_steps=True), state=ROUNDS)
    late = [FIRST, ANSWERED, *SECOND, ("assistant", ["Hm."])]
    assert shown(state, wrote("Hm.", "m1", A + 9)) == late
    assert shown(state, wrote("Hm.", "m2", A + 9)) == late


def test_calls_of_a_step_that_made_a_message_stand_before_it() -> None:
    step = RunStep("s1", "tool_calls", message_id="m1", tool_calls=(CODE,))
    over = event(9 * S, "completed")
    state = after(over, seen(10 * S, 10 * S, run_id=KEY.run_id, steps=(step,)), state=begun(0, 0))
    assert [role_and_parts[1] for role_and_parts in shown(state, wrote("1", "m1", A))] == [
        ["server_tool_call k1", "server_tool_call_response k1"],
        ["1"],
    ]


def test_tools_of_the_server_have_a_response_where_they_found_something() -> None:
    silent = replace(CODE, id="k2", outputs=())
    found = ToolCall("k3", *("file_search",) * 2, "{}", documents=(Document("f"),))
    step = RunStep("s1", "tool_calls", tool_calls=(CODE, silent, found))
    over = event(9 * S, "completed")
    state = after(over, seen(10 * S, 10 * S, run_id=KEY.run_id, steps=(step,)), state=begun(0, 0))
    assert outputs(state, (), used(state, timeline(state), Texts())) == (
        Message(
            *("", "assistant"),
            (
                Part("server_tool_call", call=CODE),
                Part("server_tool_call_response", call=CODE),
                Part("server_tool_call", call=silent),
                Part("server_tool_call", call=found),
                Part("server_tool_call_response", call=found),
            ),
            run_id=KEY.run_id,
        ),
    )


def test_steps_tell_the_order_whatever_the_stamps_say() -> None:
    steps = (
        RunStep("s0", "message_creation", message_id="m1"),
        RunStep("s1", "tool_calls", tool_calls=(CODE,)),
        RunStep("s2", "message_creation", message_id="m2"),
    )
    over = event(9 * S, "completed")
    state = after(
        over, seen(10 * S, 10 * S, run_id=KEY.run_id, steps=steps, all_steps=True), state=begun(0, 0)
    )
    assert shown(state, wrote("I will compute.", "m1", A), wrote("1", "m2", A)) == [
        ("assistant", ["I will compute."]),
        ("assistant", ["server_tool_call k1", "server_tool_call_response k1"]),
        ("assistant", ["1"]),
    ]


def test_calls_of_one_step_are_one_message_whoever_runs_them() -> None:
    step = RunStep("s1", "tool_calls", tool_calls=(CODE, call("c1")))
    state = after(
        event(S, "in_progress"),
        asks(2, "c1"),
        submit(4 * S, 4 * S, c1="22 C"),
        event(9 * S, "completed"),
        seen(10 * S, 10 * S, run_id=KEY.run_id, steps=(replace(step, seen_ns=S),), all_steps=True),
    )
    assert shown(state) == [
        ("assistant", ["server_tool_call k1", "server_tool_call_response k1", "tool_call c1"]),
        ("tool", ["tool_call_response c1"]),
    ]


def test_a_call_that_waits_has_no_response() -> None:
    state = after(poll(0, 10, "queued"), poll(S, 2 * S, "requires_action", required=(call("c1"),)))
    assert shown(state) == [("assistant", ["tool_call c1"])]


def test_without_content_there_is_nothing() -> None:
    assert shown(ROUNDS, wrote("done", "m1", A + 9), captures=False) == []
