"""How much of a thread and of a message goes out."""

from __future__ import annotations

import json

import pytest

from runspan.core.limits import Limits, message
from runspan.core.model import Message, Part, ToolCall
from runspan.core.redact import CUT


def cut(max_chars: int, *parts: Part) -> Message:
    return message(Message("m1", "user", parts), Limits(max_message_chars=max_chars))


def texts(found: Message) -> list[str | None]:
    return [part.text for part in found.parts]


def test_a_message_within_its_limit_is_left_as_it_is() -> None:
    whole = Message("m1", "user", (Part("text", "x" * 50), Part("image_file", None, {"file_id": "f"})))
    assert message(whole, Limits(max_message_chars=50)) is whole


def test_a_longer_one_is_cut_from_where_its_limit_is_reached_and_says_so() -> None:
    found = cut(
        60, Part("text", "a" * 40), Part("image_file"), Part("text", "b" * 40), Part("text", "c" * 40)
    )
    assert texts(found) == ["a" * 40, None, "b" * 19 + CUT, CUT]
    assert found.original_length == 120
    assert [part.fields.get("original_length") for part in found.parts] == [None, None, 40, 40]


def test_a_part_that_was_cut_before_keeps_its_first_length() -> None:
    found = cut(10, Part("text", "a" * 20, {"original_length": 900}))
    assert found.parts[0].fields["original_length"] == 900


def test_calls_and_results_are_cut_by_the_same_rule() -> None:
    function = ToolCall("c1", "function", "f", json.dumps({"q": "x" * 100}), "y" * 100)
    code = ToolCall(
        "c2", *("code_interpreter",) * 2, "z" * 100, outputs=(Part("logs", "l" * 100), Part("logs", "m"))
    )
    asked = cut(150, Part("tool_call", call=function), Part("server_tool_call", call=code))
    calls = [part.call for part in asked.parts if part.call]
    assert (asked.original_length, len(calls[0].arguments or ""), len(calls[1].arguments or "")) == (
        209,
        109,
        41,
    )
    assert (calls[0].original_length, calls[1].original_length) == ({}, {"arguments": 100})
    answered = cut(50, Part("tool_call_response", call=function))
    assert answered.parts[0].call
    assert (answered.parts[0].call.output, answered.parts[0].call.original_length) == (
        "y" * 49 + CUT,
        {"arguments": 109, "output": 100},
    )
    logs = cut(50, Part("server_tool_call_response", call=code))
    assert logs.parts[0].call
    assert [output.text for output in logs.parts[0].call.outputs] == ["l" * 49 + CUT, "m"]


@pytest.mark.parametrize("max_chars", [16, 100, 1_000])
def test_json_arguments_stay_json_where_anything_fits(max_chars: int) -> None:
    call = ToolCall("c1", "function", "f", json.dumps({"q": "x" * 5_000}))
    found = cut(max_chars, Part("tool_call", call=call)).parts[0].call
    assert found
    assert len(found.arguments or "") <= max_chars
    if max_chars > 16:
        json.loads(found.arguments or "")
