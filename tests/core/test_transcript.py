"""What a run put out, in the order in which it came."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from runspan.core.assembly import assemble
from runspan.core.lifecycle import RunState
from runspan.core.model import Message, Part, RunFacts, RunStep, ToolCall
from runspan.core.redact import Texts
from runspan.core.thread import ThreadLog
from tests.core.words import KEY, A, S, after, begun, call, event, poll, said, seen, submit

CODE = ToolCall("k1", *("code_interpreter",) * 2, "print(1)", outputs=(Part("logs", "1"),))


def wrote(text: str, id_: str, created_at: int) -> Message:
    return said(text, id_, "assistant", created_at=created_at, run_id=KEY.run_id)


def shown(state: RunState, *messages: Message, captures: bool = True) -> list[Any]:
    """`(role, [text or type and call id of each part])`"""
    facts = assemble(state, ThreadLog(messages), None, Texts(captures)).facts
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
