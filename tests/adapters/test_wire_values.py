"""Single values of wire objects: parts, numbers, settings, errors, ends."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.adapters import wire
from runspan.adapters.tool_calls import tool_call
from runspan.core.model import Part, ToolCall, Usage


def test_parts_of_every_kind_survive() -> None:
    note = {"type": "file_citation", "text": "[1]", "file_citation": {"file_id": "f"}}
    content = [
        {"type": "text", "text": {"value": "hi", "annotations": [note]}},
        {"type": "image_file", "image_file": {"file_id": "f", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "http://x/y.png"}},
        {"type": "hologram", "depth": 3},
        {"no": "type"},
    ]
    assert wire.message({"id": "m", "role": "user", "content": content}).parts == (
        Part("text", "hi", {"annotations": [note]}),
        Part("image_file", None, {"file_id": "f", "detail": "low"}),
        Part("image_url", None, {"url": "http://x/y.png"}),
        Part("hologram", None, {"depth": 3}),
        Part("unknown", None, {"no": "type"}),
    )


def test_a_message_of_a_run_that_leaves_its_role_out_is_the_runs() -> None:
    assert wire.message({"id": "m", "run_id": "run_1", "content": "hi"}).role == "assistant"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((None, None), (True, None), ("5", None), ([], None), ({}, None), (1e300, None)),
        *((2**53, None), (-(2**53), None), (10**400, None), (float("nan"), None), (float("inf"), None)),
        *((0, 0), (7, 7), (7.9, 7), (-3, -3), (2**53 - 1, 2**53 - 1)),
    ],
    ids=lambda value: str(value)[:20],
)
def test_numbers_are_whole_and_safe_or_absent(value: Any, number: int | None) -> None:
    assert wire.number({"n": value}, "n") == number


def test_settings_of_another_type_are_absent() -> None:
    run = wire.run(
        {"id": "r", "thread_id": "t", "temperature": "hot", "top_p": True, "parallel_tool_calls": True}
    )
    assert run is not None
    assert run.settings == {"parallel_tool_calls": True}


SETTINGS: tuple[tuple[str, Any, Any], ...] = (
    *((name, 1, 1.0) for name in ("temperature", "top_p")),
    *((name, "hot", None) for name in ("temperature", "top_p")),
    *((name, 64.0, 64) for name in ("max_completion_tokens", "max_prompt_tokens")),
    ("parallel_tool_calls", False, False),
    ("parallel_tool_calls", 0, None),
    ("reasoning_effort", "high", "high"),
    ("reasoning_effort", 5, None),
    ("response_format", "auto", "auto"),
    ("response_format", {"type": "json_schema", "json_schema": {}}, "json_schema"),
    ("response_format", {"type": 5}, None),
    ("tool_choice", "auto", None),
    ("tool_choice", "required", "required"),
    ("tool_choice", {"type": "file_search"}, "file_search"),
    ("tool_choice", {"type": "function", "function": {"name": "f"}}, "f"),
    ("tool_choice", {"type": "function", "function": 5}, "function"),
    ("truncation_strategy", {"type": "auto", "last_messages": None}, None),
    ("truncation_strategy", {"type": "last_messages", "last_messages": 3}, 3),
    ("truncation_strategy", {"type": "last_messages", "last_messages": -3}, None),
)


@pytest.mark.parametrize(("name", "value", "kept"), SETTINGS)
def test_settings_have_the_type_of_their_attribute(name: str, value: Any, kept: Any) -> None:
    expected = {} if kept is None else {name: kept}
    run = wire.run({"id": "r", "thread_id": "t", name: value})
    assert run is not None
    for settings in (run.settings, wire.run_request({name: value}, stream=False).settings):
        assert settings == expected
        assert [type(one) for one in settings.values()] == [type(one) for one in expected.values()]


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({}, None),
        ({"prompt_tokens": None, "completion_tokens": "5"}, None),
        ({"prompt_tokens": 3}, Usage(3, 0)),
        ({"completion_tokens": 0}, Usage(0, 0)),
        ({"prompt_tokens": -3, "completion_tokens": -1}, None),
        ({"prompt_tokens": -3, "completion_tokens": 1}, Usage(0, 1)),
        (
            {"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
            Usage(3, 1, cached_tokens=2),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 1, "completion_token_details": {"reasoning_tokens": 0}},
            Usage(3, 1, reasoning_tokens=0),
        ),
        ({"prompt_tokens": 3, "prompt_token_details": {"cached_tokens": -2}}, Usage(3, 0)),
    ],
)
def test_tokens_are_counts(usage: Any, read: Usage | None) -> None:
    """A negative one would be refused by the counters, with a warning in the app's log."""
    assert wire.usage(usage) == read


def test_what_a_newer_client_fills_in_is_left_out() -> None:
    note = {"type": "file_path", "text": None, "file_path": {"file_id": "f", "of": None}}
    text = {"type": "text", "text": {"value": "x", "annotations": [note, None]}}
    kept = {"annotations": [{"type": "file_path", "file_path": {"file_id": "f"}}, None]}
    assert wire.part(text) == Part("text", "x", kept)
    image = {"type": "image_file", "image_file": {"file_id": "f", "detail": None}}
    assert wire.part(image) == Part("image_file", None, {"file_id": "f"})
    search = {"id": "c", "type": "file_search", "file_search": {"ranking_options": None, "results": None}}
    assert tool_call(search) == ToolCall("c", *("file_search",) * 2)


@pytest.mark.parametrize(("kind", "field"), [("image_url", "url"), ("image_file", "file_id")])
def test_an_image_told_by_a_text_alone_is_what_the_text_says(kind: str, field: str) -> None:
    assert wire.part({"type": kind, kind: "x"}) == Part(kind, None, {field: "x"})


def test_an_error_without_a_code_keeps_its_message() -> None:
    found = wire.error({"code": None, "message": "boom"})
    assert found is not None
    assert found.message == "boom"


def test_an_expired_run_ended_at_its_expiry() -> None:
    for status, ended_at in (("expired", 700), ("completed", None)):
        run = wire.run({"id": "r", "thread_id": "t", "status": status, "expires_at": 700})
        assert run is not None
        assert run.ended_at == ended_at
