"""One line for each kind of part of the GenAI schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runspan.viewer.messages import read_instructions, read_messages


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "content": "héllo"}, "héllo"),
        ({"type": "tool_call", "name": "f", "arguments": {"city": "数"}}, 'f({"city": "数"})'),
        ({"type": "tool_call", "name": "f", "arguments": '{"a":1}'}, 'f({"a":1})'),
        ({"type": "tool_call", "name": "f"}, "f()"),
        ({"type": "tool_call_response", "id": "c", "response": "18 C"}, "18 C"),
        (
            {"type": "server_tool_call", "name": "code_interpreter", "server_tool_call": {"type": "x"}},
            'code_interpreter({"type": "x"})',
        ),
        ({"type": "server_tool_call_response", "server_tool_call_response": {"type": "x"}}, '{"type": "x"}'),
        ({"type": "reasoning", "content": "hm"}, "[reasoning] hm"),
        ({"type": "refusal", "content": "I can not"}, "[refusal] I can not"),
        (
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
            "[image image/png]",
        ),
        ({"type": "file", "modality": "image", "file_id": "file-1"}, "[image file-1]"),
        ({"type": "uri", "modality": "image", "uri": "https://x/y.png"}, "[image https://x/y.png]"),
        ({"type": "hologram"}, "[hologram]"),
        ({}, "[?]"),
        ("bare", "bare"),
    ],
)
def test_a_part_in_one_line(part: Any, expected: str) -> None:
    assert read_messages(json.dumps([{"role": "user", "parts": [part]}])) == [("user", expected)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("[]", []),
        ("not JSON", [("?", "not JSON")]),
        ('{"role":"user"}', [("?", '{"role": "user"}')]),
        ('[{"role":"user","content":"old style"}]', [("user", "old style")]),
        (
            [{"role": "user", "parts": [{"type": "text", "content": "a"}, {"type": "text", "content": "b"}]}],
            [("user", "a b")],
        ),
        ("[5]", [("?", "5")]),
        ("[{}]", [("?", "")]),
    ],
)
def test_messages_of_any_shape(value: Any, expected: list[tuple[str, str]]) -> None:
    assert read_messages(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ('[{"type":"text","content":"Be brief."}]', [("system", "Be brief.")]),
        ("Be brief.", [("system", "Be brief.")]),
    ],
)
def test_instructions_are_the_systems_words(value: Any, expected: list[tuple[str, str]]) -> None:
    assert read_instructions(value) == expected
