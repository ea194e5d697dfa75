"""Messages, tool calls and definitions in the GenAI parts schema."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runspan.conventions.messages import answers, definitions, message, part, plain
from runspan.core.model import Document, Message, Outcome, Part, ToolCall


def test_parts_in_the_schema_of_the_conventions() -> None:
    parts = (
        Part("text", "hi", {"annotations": [1]}),
        Part("refusal", "no"),
        Part("text", None),
        Part("image_file", None, {"file_id": "f", "detail": "low"}),
        Part("image_url", None, {"url": "https://a.b/c.png", "detail": "low"}),
        Part("image_url", None, {"mime_type": "image/png", "size_bytes": 9, "sha256": "ab", "detail": "low"}),
        Part("attachment", None, {"file_id": "f", "tools": ["file_search"]}),
        Part("hologram", None, {"depth": 3}),
    )
    assert message(Message("m", "assistant", parts, outcome=Outcome.INCOMPLETE)) == {
        "role": "assistant",
        "parts": [
            {"type": "text", "content": "hi", "annotations": [1]},
            {"type": "text", "content": "no", "refusal": True},
            {"type": "text"},
            {"type": "file", "modality": "image", "file_id": "f", "detail": "low"},
            {"type": "uri", "modality": "image", "uri": "https://a.b/c.png", "detail": "low"},
            {
                "type": "blob",
                "modality": "image",
                "content": "",
                "mime_type": "image/png",
                "size_bytes": 9,
                "sha256": "ab",
                "detail": "low",
            },
            {"type": "file", "modality": "document", "file_id": "f", "tools": ["file_search"]},
            {"type": "hologram", "depth": 3},
        ],
        "incomplete": True,
    }


WEATHER = ToolCall("c1", name="f", arguments='{"a":1}', output="22 C")
CODE = ToolCall(
    "c2",
    *("code_interpreter",) * 2,
    "plot()",
    outputs=(Part("logs", "done"), Part("image", None, {"file_id": "file-1"})),
)
SEARCH = ToolCall(
    "c3",
    *("file_search",) * 2,
    '{"ranking_options":{"ranker":"auto"}}',
    documents=(Document("file-2", "birds.txt", 0.5, "The swift sleeps."), Document("file-3")),
)
CALLS: dict[str, tuple[Part, Any]] = {
    "tool_call": (
        Part("tool_call", call=WEATHER),
        {"id": "c1", "name": "f", "arguments": {"a": 1}},
    ),
    "tool_call in pieces": (
        Part("tool_call", call=replace(WEATHER, arguments='{"a', is_incomplete=True)),
        {"id": "c1", "name": "f", "arguments": '{"a', "incomplete": True},
    ),
    "tool_call without a name": (
        Part("tool_call", call=ToolCall("c1")),
        {"id": "c1", "name": "function", "arguments": None},
    ),
    "tool_call_response": (Part("tool_call_response", call=WEATHER), {"id": "c1", "response": "22 C"}),
    "server_tool_call code": (
        Part("server_tool_call", call=CODE),
        {
            "id": "c2",
            "name": "code_interpreter",
            "server_tool_call": {"type": "code_interpreter", "code": "plot()"},
        },
    ),
    "server_tool_call_response code": (
        Part("server_tool_call_response", call=CODE),
        {
            "id": "c2",
            "server_tool_call_response": {
                "type": "code_interpreter",
                "outputs": [
                    {"type": "logs", "logs": "done"},
                    {"type": "image", "image": {"file_id": "file-1"}},
                ],
            },
        },
    ),
    "server_tool_call search": (
        Part("server_tool_call", call=SEARCH),
        {
            "id": "c3",
            "name": "file_search",
            "server_tool_call": {"type": "file_search", "ranking_options": {"ranker": "auto"}},
        },
    ),
    "server_tool_call_response search": (
        Part("server_tool_call_response", call=SEARCH),
        {
            "id": "c3",
            "server_tool_call_response": {
                "type": "file_search",
                "results": [
                    {"file_id": "file-2", "file_name": "birds.txt", "score": 0.5},
                    {"file_id": "file-3"},
                ],
            },
        },
    ),
    "server_tool_call unknown": (
        Part("server_tool_call", call=ToolCall("c4", *("browse",) * 2, '["a"]')),
        {"id": "c4", "name": "browse", "server_tool_call": {"type": "browse", "arguments": ["a"]}},
    ),
    "server_tool_call without a word": (
        Part("server_tool_call", call=ToolCall("c4", *("browse",) * 2)),
        {"id": "c4", "name": "browse", "server_tool_call": {"type": "browse"}},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_and_their_results_in_the_schema_of_the_conventions(name: str) -> None:
    given, expected = CALLS[name]
    assert part(given) == {"type": name.split()[0], **expected}


def test_what_was_cut_says_how_long_it_was() -> None:
    cut = replace(WEATHER, original_length={"arguments": 900, "output": 800})
    assert part(Part("tool_call", call=cut))["original_length"] == 900
    assert part(Part("tool_call_response", call=cut))["original_length"] == 800


def test_every_answer_says_why_it_ended() -> None:
    """Phoenix leaves out all output messages of a span when one has no finish_reason."""
    said = [Message(f"m{n}", "assistant", (Part("text", "a"),)) for n in range(3)]
    assert [m["finish_reason"] for m in answers(said, "length")] == ["stop", "stop", "length"]
    cut_off = [replace(said[0], outcome=Outcome.INCOMPLETE), said[1]]
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


def test_what_a_server_says_beside_takes_the_place_of_no_word_of_ours() -> None:
    hostile = {"type": "x", "content": "x", "modality": "x", "uri": "x", "refusal": "x", "more": 1}
    search = ToolCall("c", *("browse",) * 2, '{"type":"x","more":1}')
    ours: tuple[dict[str, Any], ...] = (
        {"type": "text", "content": "hi"},
        {"type": "text", "content": "hi", "refusal": True},
        {"type": "file", "modality": "image"},
        {"type": "uri", "modality": "image", "uri": None},
        {"type": "file", "modality": "document"},
        {"type": "hologram"},
    )
    kinds = ("text", "refusal", "image_file", "image_url", "attachment", "hologram")
    for kind, own in zip(kinds, ours, strict=True):
        assert part(Part(kind, "hi", hostile)) == {**hostile, **own}
    blob = {"type": "blob", "modality": "image", "content": ""}
    assert part(Part("image_url", None, {**hostile, "sha256": "a"})) == {**hostile, "sha256": "a", **blob}
    said = part(Part("server_tool_call", call=search))["server_tool_call"]
    assert said == {"type": "browse", "more": 1}
    (tool,) = definitions([{"type": "function", "function": {"name": "f", "type": "x"}}])
    assert tool == {"type": "function", "name": "f"}


def test_a_message_that_is_not_whole_says_so() -> None:
    cut = Message(
        "m", "user", outcome=Outcome.INCOMPLETE, incomplete_reason="max_tokens", original_length=900
    )
    marks = {"incomplete": True, "incomplete_reason": "max_tokens", "original_length": 900}
    assert message(cut) == {"role": "user", "parts": [], **marks}
    assert message(Message("m", "user", outcome=Outcome.COMPLETED, incomplete_reason="x")) == {
        "role": "user",
        "parts": [],
    }


def test_plain_texts_name_what_they_cannot_show() -> None:
    shown = [
        Message("m", "user", (Part("text", "a"), Part("image_file"))),
        Message("n", "user"),
        Message("e", "assistant", (Part("text", ""),)),
        Message("o", "user", (Part("text", "b"),)),
        Message("", "assistant", (Part("tool_call", call=WEATHER),)),
    ]
    assert plain(shown) == "a\n[image_file]\n\nb"
