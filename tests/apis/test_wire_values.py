"""Single values of wire objects: parts, numbers, settings, errors, ends."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.apis.assistants import API, objects
from runspan.apis.assistants.tool_calls import tool_call
from runspan.core import fields
from runspan.core.model import ApiError, Document, Message, Part, Run, RunRequest, RunStep, ToolCall, Usage
from runspan.core.run_context import KEY
from tests.support.stream_events import read


def test_parts_of_every_kind_survive() -> None:
    note = {"type": "file_citation", "text": "[1]", "file_citation": {"file_id": "f"}}
    content = [
        {"type": "text", "text": {"value": "hi", "annotations": [note]}},
        {"type": "image_file", "image_file": {"file_id": "f", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "http://x/y.png"}},
        {"type": "hologram", "depth": 3},
        {"no": "type"},
    ]
    assert objects.message({"id": "m", "role": "user", "content": content}).parts == (
        Part("text", "hi", {"annotations": [note]}),
        Part("image_file", None, {"file_id": "f", "detail": "low"}),
        Part("image_url", None, {"url": "http://x/y.png"}),
        Part("hologram", None, {"depth": 3}),
        Part("unknown", None, {"no": "type"}),
    )


def test_a_message_of_a_run_that_leaves_its_role_out_is_the_runs() -> None:
    assert objects.message({"id": "m", "run_id": "run_1", "content": "hi"}).role == "assistant"


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
    assert fields.number({"n": value}, "n") == number


def test_settings_of_another_type_are_absent() -> None:
    run = objects.run(
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
    run = objects.run({"id": "r", "thread_id": "t", name: value})
    assert run is not None
    for settings in (run.settings, objects.run_request({name: value}, stream=False).settings):
        assert settings == expected
        assert [type(one) for one in settings.values()] == [type(one) for one in expected.values()]


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({}, None),
        ({"prompt_tokens": None, "completion_tokens": "five"}, None),
        ({"prompt_tokens": "30", "completion_tokens": "5"}, Usage(30, 5)),
        ({"prompt_tokens": "-3", "completion_tokens": "1" * 400}, None),
        ({"completion_tokens": 5, "total_tokens": 35}, Usage(30, 5)),
        ({"prompt_tokens": 30, "total_tokens": 20}, Usage(30, 0)),
        ({"input_tokens": 30, "output_tokens": 5}, Usage(30, 5)),
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
    assert objects.usage(usage, *objects.SIDES) == read


def test_what_a_newer_client_fills_in_is_left_out() -> None:
    note = {"type": "file_path", "text": None, "file_path": {"file_id": "f", "of": None}}
    text = {"type": "text", "text": {"value": "x", "annotations": [note, None]}}
    kept = {"annotations": [{"type": "file_path", "file_path": {"file_id": "f"}}, None]}
    assert objects.part(text) == Part("text", "x", kept)
    image = {"type": "image_file", "image_file": {"file_id": "f", "detail": None}}
    assert objects.part(image) == Part("image_file", None, {"file_id": "f"})
    search = {"id": "c", "type": "file_search", "file_search": {"ranking_options": None, "results": None}}
    assert tool_call(search) == ToolCall("c", *("file_search",) * 2)


@pytest.mark.parametrize(("kind", "field"), [("image_url", "url"), ("image_file", "file_id")])
def test_an_image_told_by_a_text_alone_is_what_the_text_says(kind: str, field: str) -> None:
    assert objects.part({"type": kind, kind: "x"}) == Part(kind, None, {field: "x"})


@pytest.mark.parametrize(
    "content",
    [
        "It is 42.",
        ["It is 42."],
        {"type": "text", "text": {"value": "It is 42."}},
        [{"type": "text", "text": {"value": ["It is ", "42."]}}, None, 5],
    ],
)
def test_a_text_is_read_however_a_server_lists_it(content: Any) -> None:
    assert objects.message({"id": "m", "content": content}).parts == (Part("text", "It is 42."),)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"code": "server_error", "type": "x", "message": "boom"}, ApiError("server_error", "boom")),
        ({"code": None, "type": "invalid", "message": "boom"}, ApiError("invalid", "boom")),
        ({"code": None, "message": "boom"}, ApiError("error", "boom")),
        ({"code": "expired"}, ApiError("expired")),
        ({"code": 502, "message": "boom"}, ApiError("502", "boom")),
        ("boom", ApiError("error", "boom")),
        ("", None),
        ({"code": [], "message": None}, None),
        (["boom"], None),
    ],
)
def test_errors_have_a_code_or_a_message_or_are_none(said: Any, error: ApiError | None) -> None:
    assert objects.error(said) == error


OUTPUTS: tuple[tuple[Any, Part], ...] = (
    ({"type": "logs", "logs": "2", "index": 0}, Part("logs", "2")),
    ({"type": "image", "image": {"file_id": "f"}, "index": 0}, Part("image", None, {"file_id": "f"})),
    ({"type": "table", "rows": 3, "index": 0}, Part("table", None, {"rows": 3})),
    ({"rows": 3}, Part("unknown", None, {"rows": 3})),
)
CALLS: tuple[tuple[Any, ToolCall], ...] = (
    ({"function": {"name": "f", "arguments": "{}", "output": "1"}}, ToolCall("", "function", "f", "{}", "1")),
    ({"id": "c", "type": "browse", "index": 0}, ToolCall("c", *("browse",) * 2)),
    ({"id": "c", "type": "browse", "at": 5, "index": 0}, ToolCall("c", *("browse",) * 2, '{"at":5}')),
    (
        {
            "id": "c",
            "type": "code_interpreter",
            "code_interpreter": {"input": "1", "outputs": [o for o, _ in OUTPUTS]},
        },
        ToolCall("c", *("code_interpreter",) * 2, "1", outputs=tuple(part for _, part in OUTPUTS)),
    ),
    (
        {
            "id": "c",
            "type": "file_search",
            "file_search": {"results": [{"content": [{"type": "text"}, {"text": ""}]}]},
        },
        ToolCall("c", *("file_search",) * 2, documents=(Document("", text=""),)),
    ),
)


@pytest.mark.parametrize(("said", "call"), CALLS)
def test_calls_of_every_tool_keep_what_they_say(said: Any, call: ToolCall) -> None:
    assert tool_call(said) == call


def test_a_runs_own_key_is_no_metadata_and_what_it_ran_with_is_kept() -> None:
    said = {
        "id": "r",
        "metadata": {KEY: "carried", "k": "v", "n": 5},
        "file_ids": ["f", 5],
        "cancelled_at": 9,
    }
    run = Run("r", "t", metadata={"k": "v"}, carried="carried", file_ids=("f",), ended_at=9)
    assert objects.run(said, "t") == run
    assert (objects.run({"id": "r"}), objects.run({"thread_id": "t"})) == (None, None)


def test_what_a_request_asks_for() -> None:
    said = {
        "model": "gpt-4o",
        "assistant_id": "a",
        "additional_instructions": "Be brief.",
        "additional_messages": [{"id": "x", "role": "assistant", "content": "hi"}],
        "tool_resources": {"file_search": {"vector_store_ids": ["vs"]}},
        "temperature": 1.0,
    }
    message = Message("", "assistant", (Part("text", "hi"),))
    for stream in (True, False):
        asked = RunRequest("gpt-4o", "a", "Be brief.", (message,), stream, {"temperature": 1.0}, ("vs",))
        assert objects.run_request(said, stream) == asked


@pytest.mark.parametrize(
    ("resources", "stores"),
    [
        ({}, None),
        ({"file_search": {}}, None),
        ({"file_search": {"vector_store_ids": []}}, ()),
        ({"file_search": {"vector_store_ids": ["vs", 5]}}, ("vs",)),
    ],
)
def test_a_thread_without_stores_is_not_one_that_says_nothing_of_them(resources: Any, stores: Any) -> None:
    assert objects.vector_stores({"tool_resources": resources}) == stores


def test_a_step_as_it_ended() -> None:
    details = {"type": "message_creation", "message_creation": {"message_id": "m"}}
    for end in ("completed_at", "failed_at", "cancelled_at", "expired_at"):
        found = objects.step({"id": "s", "step_details": details, end: 9})
        assert found == RunStep("s", "message_creation", message_id="m", ended_at=9)


def test_an_expired_run_ended_at_its_expiry() -> None:
    for status, ended_at in (("expired", 700), ("completed", None)):
        run = objects.run({"id": "r", "thread_id": "t", "status": status, "expires_at": 700})
        assert run is not None
        assert run.ended_at == ended_at


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([{"value": "a"}, "b", 7], Part("text", "ab")),
        (
            [{"value": "a", "annotations": [{"type": "x"}]}],
            Part("text", "a", {"annotations": [{"type": "x"}]}),
        ),
        ([{"other": 1}], Part("text", None)),
        ([], Part("text", None)),
    ],
)
def test_a_text_in_a_list_is_one_text(body: Any, expected: Part) -> None:
    assert objects.part({"type": "text", "text": body}) == expected


GHOST = {
    "id": "chatcmpl-1",
    "thread_id": "",
    "metadata": {"usage": '{"prompt_tokens":3,"completion_tokens":1}'},
}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (GHOST, Usage(3, 1)),
        ({**GHOST, "metadata": {"usage": {"prompt_tokens": 3, "completion_tokens": 1}}}, Usage(3, 1)),
        ({**GHOST, "metadata": {"usage": "no JSON"}}, None),
        ({**GHOST, "metadata": {}}, None),
        ({**GHOST, "thread_id": "t"}, None),
        ({"id": "m"}, None),
    ],
)
def test_a_message_of_no_thread_may_bring_tokens(message: Any, expected: Usage | None) -> None:
    assert objects.usage_in_ghost(message) == expected
    seen = read(API, "thread.message.in_progress", message, 5, conversation_id="t", run_id="r")
    assert [step.usage for step in seen.steps] == ([expected] if expected else [])
    assert bool(seen.messages) is (expected is None)
