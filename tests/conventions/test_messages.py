"""JSON of messages: valid, readable, within every limit."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from runspan.conventions.messages import (
    answers,
    arguments,
    definitions,
    dumps,
    fit,
    message,
    plain,
    tool_call_message,
)
from runspan.core.model import Message, Part, ToolCall

LETTERS = 'abc "\\/\n\t\x00\u2028日本𝄞é\ud800\udfff…'


def strict(text: str) -> Any:
    """As a parser reads it that knows nothing beyond the standard (no NaN)."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def anything(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind < 3:
        return "".join(chance.choice(LETTERS) for _ in range(chance.choice([0, 3, 40, 700])))
    if kind < 6:
        return chance.choice([None, True, 0, -7, 2**70, 1.5, float("nan"), float("inf"), -float("inf")])
    below = [anything(chance, depth + 1) for _ in range(chance.randrange(5))]
    return below if kind == 6 else {f"k{i}\ud800"[: chance.randrange(1, 4)]: b for i, b in enumerate(below)}


@pytest.mark.parametrize("seed", range(400))
def test_whatever_it_is_it_fits_and_stays_json(seed: int) -> None:
    chance = random.Random(seed)
    value: Any = [anything(chance) for _ in range(chance.randrange(1, 8))]
    if chance.random() < 0.3:
        value = {f"key {i}": v for i, v in enumerate(value)}
    for max_chars in (0, 1, 2, 8, 31, 64, 200, 2_000, 100_000):
        text = fit(value, max_chars)
        if text is None:
            continue
        assert len(text) <= max_chars
        assert isinstance(strict(text), type(value))
        assert "\\u" not in text.replace("\\u0000", "").replace("\\\\u", "")
        text.encode("utf-8")


def test_what_fits_is_left_as_it_is() -> None:
    value = [{"role": "user", "parts": [{"type": "text", "content": "日本 é 𝄞"}]}]
    whole = '[{"role":"user","parts":[{"type":"text","content":"日本 é 𝄞"}]}]'
    assert fit(value, len(whole)) == whole
    assert dumps(value) == whole


def test_long_texts_are_cut_before_messages_are_left_out() -> None:
    value = [
        {"role": "user", "parts": [{"type": "text", "content": "x" * 5_000}]},
        {"role": "assistant", "parts": []},
    ]
    found = strict(fit(value, 300) or "")
    assert [m["role"] for m in found] == ["user", "assistant"]
    assert found[0]["parts"][0]["content"].endswith("x…")


def test_the_first_items_go_where_cutting_is_not_enough() -> None:
    value = [{"n": i} for i in range(50)]
    assert strict(fit(value, 40) or "") == [{"n": 46}, {"n": 47}, {"n": 48}, {"n": 49}]
    assert fit(value, 5) is None


def test_many_items_are_cut_in_reasonable_time() -> None:
    """A server may send any number of metadata."""
    value = {f"key {i}": "v" * 20 for i in range(1_500)}
    assert len(fit(value, 1_000) or "") <= 1_000


def test_parts_in_the_schema_of_the_conventions() -> None:
    parts = (
        Part("text", "hi", {"annotations": [1]}),
        Part("refusal", "no"),
        Part("text", None),
        Part("image_file", None, {"file_id": "f", "detail": "low"}),
        Part("hologram", None, {"depth": 3}),
    )
    assert message(Message("m", "assistant", parts, status="incomplete")) == {
        "role": "assistant",
        "parts": [
            {"type": "text", "content": "hi", "annotations": [1]},
            {"type": "text", "content": "no", "refusal": True},
            {"type": "text"},
            {"type": "file", "modality": "image", "file_id": "f", "detail": "low"},
            {"type": "hologram", "depth": 3},
        ],
        "incomplete": True,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1}', {"a": 1}),
        ("not json", "not json"),
        ("", ""),
        (None, None),
        ("[" * 100_000, "[" * 100_000),
        ("9" * 10_000, "9" * 10_000),
    ],
    ids=["object", "not json", "empty", "none", "deep", "huge number"],
)
def test_arguments_are_an_object_where_they_are_one(text: str | None, value: object) -> None:
    assert arguments(text) == value


def test_calls_that_wait_are_the_last_message() -> None:
    assert tool_call_message([ToolCall("c1", name="f", arguments='{"a":1}')]) == {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}}],
        "finish_reason": "tool_call",
    }


def test_every_answer_says_why_it_ended() -> None:
    """Phoenix leaves out all output messages of a span when one has no finish_reason."""
    said = [Message(f"m{n}", "assistant", (Part("text", "a"),)) for n in range(3)]
    assert [m["finish_reason"] for m in answers(said, "length")] == ["stop", "stop", "length"]
    cut_off = [replace(said[0], status="incomplete"), said[1]]
    assert [m["finish_reason"] for m in answers(cut_off, None)] == ["error", "error"]
    assert answers([], "stop") == []


def test_definitions_are_flat() -> None:
    tools: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
        {"type": "file_search"},
        {"type": None},
        {"type": "code_interpreter", "code_interpreter": 5},
    ]
    assert definitions(tools) == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}},
        {"type": "file_search", "name": "file_search"},
        {"type": "unknown", "name": "unknown"},
        {"type": "code_interpreter", "name": "code_interpreter"},
    ]


def test_plain_texts_name_what_they_cannot_show() -> None:
    shown = [
        Message("m", "user", (Part("text", "a"), Part("image_file"))),
        Message("n", "user"),
        Message("o", "user", (Part("text", "b"),)),
    ]
    assert plain(shown) == "a\n[image_file]\n\nb"
