"""How much of a thread and of a message goes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runspan.core.limits import Limits, message, newest
from runspan.core.model import Message, Part, ToolCall
from runspan.core.redact import CUT, Texts


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


def test_a_part_that_just_fits_is_left_as_it_is() -> None:
    found = cut(50, Part("text", "a" * 30), Part("text", "b" * 20), Part("text", "c"), Part("text", "dd"))
    assert texts(found) == ["a" * 30, "b" * 20, "c", CUT]
    assert [part.fields for part in found.parts] == [{}, {}, {}, {"original_length": 2}]


@pytest.mark.parametrize(
    ("limits", "max_text_chars", "kept"),
    [
        (Limits(), 100, 4),
        (Limits(max_input_messages=3), 100, 3),
        (Limits(max_input_messages=1), 100, 1),
        (Limits(max_input_chars=70), 100, 3),  # 40 + 20 + 10
        (Limits(max_input_chars=69), 100, 2),
        (Limits(max_input_chars=1), 100, 1),  # one is always told
        (Limits(max_input_chars=50), 15, 3),  # each text counts as what is left of it: 10, 15, 10 + 15
        (Limits(max_input_chars=49), 15, 2),
        (Limits(max_input_chars=26, max_message_chars=8), 100, 3),  # and each message: 8 + 8 + 8 + 8
        (Limits(max_input_chars=32, max_message_chars=8), 100, 4),
    ],
)
def test_the_newest_messages_within_the_limits(limits: Limits, max_text_chars: int, kept: int) -> None:
    sizes = ((30, 50), (10, 30), (20,), (10,))  # of the texts of a message
    messages = tuple(
        Message(f"m{n}", "user", (*(Part("text", "x" * size) for size in of_parts), Part("image_file")))
        for n, of_parts in enumerate(sizes)
    )
    assert newest(messages, limits, Texts(max_chars=max_text_chars)) == messages[-kept:]


def test_of_no_messages_none_are_kept() -> None:
    assert newest((), Limits(), Texts()) == ()


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


@pytest.mark.parametrize(
    ("max_chars", "call", "arguments", "output", "outputs", "original_length"),
    [
        (2, {"output": "yyyy"}, None, CUT.rjust(2, "y"), [], {"output": 4}),
        (2, {"arguments": "xxxx"}, CUT.rjust(2, "x"), None, [], {"arguments": 4}),
        (4, {"arguments": "xxxx", "output": "yyyyy"}, "xxxx", "yyy" + CUT, [], {"output": 5}),
        (4, {"outputs": ("ll", "mm", "nn", "oo")}, None, None, ["ll", "mm", CUT, CUT], {}),
        (4, {"outputs": ("lll", "mm", "n", "oo")}, None, None, ["lll", CUT, "n", CUT], {}),
    ],
)
def test_the_texts_of_a_call(
    max_chars: int,
    call: dict[str, Any],
    arguments: str | None,
    output: str | None,
    outputs: list[str],
    original_length: dict[str, int],
) -> None:
    parts = tuple(Part("logs", text) for text in call.get("outputs", ()))
    whole = ToolCall("c1", "function", "f", **{**call, "outputs": parts})
    # A long text beside it, so that the message is cut at all; the call comes first.
    found = cut(max_chars, Part("tool_call_response", call=whole), Part("text", "x" * 99)).parts[0].call
    assert found
    assert (found.arguments, found.output) == (arguments, output)
    assert [part.text for part in found.outputs] == outputs
    assert found.original_length == original_length


@pytest.mark.parametrize("max_chars", [16, 100, 1_000])
def test_json_arguments_stay_json_where_anything_fits(max_chars: int) -> None:
    call = ToolCall("c1", "function", "f", json.dumps({"q": "x" * 5_000}))
    found = cut(max_chars, Part("tool_call", call=call)).parts[0].call
    assert found
    assert len(found.arguments or "") <= max_chars
    if max_chars > 16:
        json.loads(found.arguments or "")
