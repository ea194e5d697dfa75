"""One run of an imitated API as plain objects, and the little server that sends them, whole or spoilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.odd_server import Odd
from tests.support.playing import App

RUN: dict[str, Any] = {
    "id": "run_1",
    "object": "thread.run",
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "status": "queued",
    "created_at": 1_700_000_000,
    "started_at": None,
    "expires_at": 1_700_000_600,
    "completed_at": None,
    "model": "gpt-4o",
    "instructions": "Be good.",
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}],
    "metadata": {"k": "v"},
    "usage": None,
    "last_error": None,
    "required_action": None,
    "incomplete_details": None,
    "temperature": 1.0,
    "top_p": 1.0,
    "max_prompt_tokens": 10,
    "max_completion_tokens": 20,
    "response_format": "auto",
    "parallel_tool_calls": True,
    "reasoning_effort": "low",
}
WAITING: dict[str, Any] = {
    **RUN,
    "status": "requires_action",
    "required_action": {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
        },
    },
}
OVER: dict[str, Any] = {
    **RUN,
    "status": "completed",
    "started_at": 1_700_000_001,
    "completed_at": 1_700_000_002,
    "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "total_tokens": 12,
        "prompt_token_details": {"cached_tokens": 1},
    },
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "object": "thread.message",
    "thread_id": "thread_1",
    "run_id": "run_1",
    "assistant_id": "asst_1",
    "role": "assistant",
    "status": "completed",
    "created_at": 1_700_000_002,
    "incomplete_details": None,
    "content": [{"type": "text", "text": {"value": "Good day.", "annotations": []}}],
    "attachments": [],
    "metadata": {},
}
STEP: dict[str, Any] = {
    "id": "step_1",
    "object": "thread.run.step",
    "thread_id": "thread_1",
    "run_id": "run_1",
    "type": "tool_calls",
    "status": "completed",
    "created_at": 1_700_000_001,
    "completed_at": 1_700_000_002,
    "last_error": None,
    "step_details": {
        "type": "tool_calls",
        "tool_calls": [
            {"id": "call_2", "type": "code_interpreter", "code_interpreter": {"input": "1", "outputs": []}}
        ],
    },
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
OBJECTS = {"run": RUN, "waiting": WAITING, "over": OVER, "message": MESSAGE, "step": STEP}


def serve(odd: Odd, objects: dict[str, Any]) -> None:
    """From now on the server sends these."""
    odd.events = [
        ("thread.run.created", objects["run"]),
        ("thread.run.step.created", objects["step"]),
        ("thread.message.created", objects["message"]),
        (
            "thread.message.delta",
            {"id": "msg_1", "object": "thread.message.delta", "delta": objects["message"]},
        ),
        ("thread.message.completed", objects["message"]),
        ("thread.run.step.completed", objects["step"]),
        ("thread.run.of_later_days", objects["run"]),
        ("thread.of_later_days", {"a": 1}),
        ("thread.run.completed", objects["over"]),
    ]
    odd.bodies = {
        ("POST", "runs"): [objects["run"]],
        ("GET", "runs/one"): [objects["run"], objects["waiting"], objects["over"]],
        ("POST", "submit_tool_outputs"): [objects["run"]],
        ("GET", "runs"): [{"object": "list", "data": [objects["over"]], "has_more": False}],
        ("GET", "messages"): [{"object": "list", "data": [objects["message"]], "has_more": False}],
        ("GET", "messages/one"): [objects["message"]],
        ("POST", "messages"): [objects["message"]],
        ("GET", "steps"): [{"object": "list", "data": [objects["step"]], "has_more": False}],
    }


async def told_of(app: App, call: Callable[[], Any]) -> tuple[str, str]:
    """What a call gives or raises, as far as two runs of an app can be compared."""
    try:
        result = await app.got(call())
        if hasattr(result, "__stream__"):
            result = await app.each(result)
        return type(result).__name__, repr(result)
    except Exception as error:
        return type(error).__name__, str(error)


async def all_calls(app: App) -> list[tuple[str, str]]:
    """Every kind of read, each whatever became of the others."""
    runs, messages, ids = app.runs, app.threads.messages, {"thread_id": "thread_1"}
    outputs: Any = [{"tool_call_id": "call_1", "output": "ok"}]
    calls = [
        lambda: messages.create("thread_1", role="user", content="Hi?"),
        lambda: runs.create(**ids, assistant_id="asst_1"),
        lambda: runs.retrieve("run_1", **ids),
        lambda: runs.retrieve("run_1", **ids),
        lambda: runs.submit_tool_outputs("run_1", **ids, tool_outputs=outputs),
        lambda: runs.retrieve("run_1", **ids),
        lambda: runs.steps.list("run_1", **ids),
        lambda: messages.list("thread_1"),
        lambda: messages.retrieve("msg_1", **ids),
        lambda: runs.list("thread_1"),
        lambda: runs.create(**ids, assistant_id="asst_1", stream=True),
    ]
    return [await told_of(app, call) for call in calls]
