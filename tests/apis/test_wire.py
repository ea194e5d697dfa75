"""Wire objects with anything missing, null or of another type: nothing raises, and the rest is still read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from runspan.apis.assistants import objects
from runspan.core.model import (
    Agent,
    ApiError,
    Document,
    Message,
    Outcome,
    Part,
    Phase,
    Run,
    RunRequest,
    RunStep,
    ToolCall,
    Usage,
)

BAD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        2**53,
        2**70,
        10**400,
        -(10**400),
        1.5,
        float("nan"),
        float("inf"),
        float("-inf"),
    ),
    *("", "text", "\ud800", [], [None], [[]], [1, "a", {}], [{"type": 5}], {}, {"type": None}, {"value": []}),
)

RUN = {
    "id": "run_1",
    "object": "thread.run",
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "status": "requires_action",
    "model": "gpt-4o",
    "instructions": "Teach.",
    "tools": [{"type": "code_interpreter"}],
    "required_action": {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
        },
    },
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_token_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
    "last_error": {"code": "server_error", "message": "boom"},
    "incomplete_details": {"reason": "max_completion_tokens"},
    "created_at": 100,
    "started_at": 101,
    "completed_at": 102,
    "expires_at": 700,
    "metadata": {"k": "v"},
    "temperature": 1.0,
    "top_p": 0.5,
    "response_format": {"type": "json_object"},
}
STEP = {
    "id": "step_1",
    "type": "tool_calls",
    "status": "completed",
    "created_at": 5,
    "completed_at": 6,
    "last_error": {"code": "server_error", "message": "x"},
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    "step_details": {
        "type": "tool_calls",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "1"}},
            {
                "id": "c2",
                "type": "code_interpreter",
                "code_interpreter": {"input": "1+1", "outputs": [{"type": "logs", "logs": "2"}]},
            },
            {
                "id": "c3",
                "type": "file_search",
                "file_search": {"ranking_options": {"ranker": "auto"}, "results": [{"file_id": "f"}]},
            },
            {
                "id": "c4",
                "type": "file_search",
                "file_search": {
                    "results": [
                        {
                            "file_id": "f",
                            "file_name": "f.txt",
                            "score": 0.5,
                            "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
                        }
                    ]
                },
            },
            {"id": "c5", "type": "retrieval", "retrieval": {}},
            {"id": "c6", "type": "browse", "browse": {"url": "u", "results": [1]}},
            {"id": "c7", "type": "browse", "at": 5},
        ],
    },
}
MESSAGE = {
    "id": "msg_1",
    "role": "assistant",
    "created_at": 5,
    "run_id": "run_1",
    "status": "incomplete",
    "incomplete_details": {"reason": "content_filter"},
    "content": [
        {"type": "text", "text": {"value": "hi", "annotations": []}},
        {"type": "refusal", "refusal": "no"},
    ],
}
ASSISTANT = {
    "id": "asst_1",
    "name": "Tutor",
    "description": "d",
    "model": "gpt-4o",
    "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
    "file_ids": ["file-1"],
}
BODY = {
    "assistant_id": "asst_1",
    "model": "gpt-4o",
    "additional_instructions": "Be brief.",
    "additional_messages": [{"role": "user", "content": "hi"}],
    "tool_outputs": [{"tool_call_id": "c1", "output": "22 C"}],
    "reasoning_effort": "high",
    "response_format": "auto",
}

READERS: dict[str, tuple[Callable[[objects.Wire], Any], Mapping[str, Any]]] = {
    "run": (objects.run, RUN),
    "step": (objects.step, STEP),
    "message": (objects.message, MESSAGE),
    "assistant": (objects.agent, ASSISTANT),
    "run_request": (lambda body: objects.run_request(body, False), BODY),
    "submitted": (objects.submitted, BODY),
}


READ_OFF = {"phase", "outcome", "finish_reason", "is_growing"}  # another field that stands beside them


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place below `value`."""
    below = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    )
    return [p for key, child in below for p in ((*path, key), *places(child, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at `path`; the key left out where `new` is Ellipsis."""
    if not path:
        return new
    if isinstance(value, list):
        return [changed(v, path[1:], new) if i == path[0] else v for i, v in enumerate(value)]
    kept = {k: changed(v, path[1:], new) if k == path[0] else v for k, v in value.items()}
    return {k: v for k, v in kept.items() if v is not ...}


@pytest.mark.parametrize(
    ("name", "path"), [(n, p) for n, (_, whole) in READERS.items() for p in places(whole)], ids=str
)
def test_one_odd_value_costs_one_value(name: str, path: tuple[Any, ...]) -> None:
    read, whole = READERS[name]
    good = read(whole)
    for bad in (*BAD, ...):
        found = read(changed(whole, path, bad if bad is not ... or isinstance(path[-1], str) else None))
        if found is None:
            assert path[-1] in ("id", "thread_id")
        elif not isinstance(found, tuple):
            differing = {
                name for name in found.__struct_fields__ if getattr(found, name) != getattr(good, name)
            }
            assert len(differing - READ_OFF) <= 1, (bad, differing)


@pytest.mark.parametrize("name", READERS)
def test_an_empty_object_reads_as_little(name: str) -> None:
    assert READERS[name][0]({}) in (None, (), RunRequest(), Message("", "user"))


def test_a_whole_run() -> None:
    assert objects.run(RUN) == Run(
        id="run_1",
        conversation_id="thread_1",
        status="requires_action",
        phase=Phase.WAITING,
        agent_id="asst_1",
        model="gpt-4o",
        instructions="Teach.",
        tools=({"type": "code_interpreter"},),
        required=(ToolCall("c1", "function", "f", "{}"),),
        usage=Usage(10, 5, 4, 2),
        error=ApiError("server_error", "boom"),
        incomplete_reason="max_completion_tokens",
        finish_reason="length",
        created_at=100,
        started_at=101,
        ended_at=102,
        expires_at=700,
        metadata={"k": "v"},
        settings={"temperature": 1.0, "top_p": 0.5, "response_format": "json_object"},
    )


def test_a_whole_step() -> None:
    assert objects.step(STEP) == RunStep(
        id="step_1",
        type="tool_calls",
        status="completed",
        outcome=Outcome.COMPLETED,
        tool_calls=(
            ToolCall("c1", "function", "f", "{}", "1"),
            ToolCall("c2", *("code_interpreter",) * 2, "1+1", outputs=(Part("logs", "2"),)),
            ToolCall(
                "c3",
                *("file_search",) * 2,
                '{"ranking_options":{"ranker":"auto"}}',
                documents=(Document("f"),),
            ),
            ToolCall("c4", *("file_search",) * 2, documents=(Document("f", "f.txt", 0.5, "one\n\ntwo"),)),
            ToolCall("c5", *("retrieval",) * 2),
            ToolCall("c6", *("browse",) * 2, '{"url":"u","results":[1]}'),
            ToolCall("c7", *("browse",) * 2, '{"at":5}'),
        ),
        error=ApiError("server_error", "x"),
        usage=Usage(1, 2),
        created_at=5,
        ended_at=6,
    )


def test_a_whole_message_and_an_assistant() -> None:
    assert objects.message(MESSAGE) == Message(
        id="msg_1",
        role="assistant",
        parts=(Part("text", "hi"), Part("refusal", "no")),
        created_at=5,
        run_id="run_1",
        outcome=Outcome.INCOMPLETE,
        incomplete_reason="content_filter",
        finish_reason="content_filter",
    )
    assert objects.agent(ASSISTANT) == Agent("asst_1", "Tutor", "d", "gpt-4o", ("vs_1",), ("file-1",))


def test_files_beside_the_content_are_parts_of_either_version() -> None:
    attached = {"file_id": "f1", "tools": [{"type": "file_search"}, {"type": 5}, 5]}
    found = objects.message({"content": "see", "attachments": [attached], "file_ids": ["f2", 5]})
    assert found.parts == (
        Part("text", "see"),
        Part("attachment", None, {"file_id": "f1", "tools": ["file_search"]}),
        Part("attachment", None, {"file_id": "f2"}),
    )


def test_an_image_that_stands_in_its_url_is_let_go() -> None:
    image = {"url": "data:image/png;base64,iVBORw==", "detail": "low"}
    found = objects.part({"type": "image_url", "image_url": image})
    sha = "0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543"
    assert found == Part(
        "image_url", None, {"detail": "low", "mime_type": "image/png", "size_bytes": 4, "sha256": sha}
    )
    other = {"type": "hologram", "hologram": image}  # told like every text, when it goes out
    assert objects.part(other) == Part("hologram", None, image)
