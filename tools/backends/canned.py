"""The official client with a server that answers without a socket: for thousands of calls, and times without a network in them."""

from __future__ import annotations

import json
import time
from importlib import import_module
from typing import Any

import openai

COURSE = ("queued", "in_progress", "completed")  # what create and the polls after it find


def client() -> openai.OpenAI:
    http = _http_library()
    seen: dict[str, int] = {}

    def answer(request: Any) -> Any:
        path = request.url.path.removeprefix("/v1")
        if request.method == "POST":
            number = str(len(seen) + 1)
            seen[number] = 0
            body = _run(number, COURSE[0])
        elif path.endswith("/messages"):
            number = path.split("/")[2].partition("_")[2]
            body = _messages(number)
        else:
            number = path.rpartition("_")[2]
            seen[number] = min(seen[number] + 1, len(COURSE) - 1)
            body = _run(number, COURSE[seen[number]])
        return http.Response(200, content=json.dumps(body), headers={"content-type": "application/json"})

    return openai.OpenAI(
        base_url="http://127.0.0.1:1/v1",
        api_key="none",
        max_retries=0,
        http_client=openai.DefaultHttpxClient(transport=http.MockTransport(answer)),
    )


def whole_run(of: openai.OpenAI) -> Any:
    """Create, poll to the end, read the answer: four calls."""
    run = of.beta.threads.create_and_run(
        assistant_id="asst_1", thread={"messages": [{"role": "user", "content": "What is 6 times 7?"}]}
    )
    while run.status != "completed":
        run = of.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    of.beta.threads.messages.list(run.thread_id)
    return run


def _run(number: str, status: str) -> dict[str, Any]:
    now = int(time.time())
    usage = {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35}
    return {
        "id": f"run_{number}",
        "object": "thread.run",
        "thread_id": f"thread_{number}",
        "assistant_id": "asst_1",
        "status": status,
        "model": "gpt-4o",
        "instructions": "Be brief.",
        "tools": [],
        "metadata": {},
        "created_at": now,
        "started_at": now if status != "queued" else None,
        "completed_at": now if status == "completed" else None,
        "expires_at": now + 600,
        "usage": usage if status == "completed" else None,
    }


def _messages(number: str) -> dict[str, Any]:
    data = [_message(number, "2", "assistant", "42."), _message(number, "1", "user", "What is 6 times 7?")]
    return {
        "object": "list",
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"],
        "last_id": data[-1]["id"],
    }


def _message(number: str, index: str, role: str, text: str) -> dict[str, Any]:
    return {
        "id": f"msg_{number}_{index}",
        "object": "thread.message",
        "created_at": int(time.time()),
        "thread_id": f"thread_{number}",
        "role": role,
        "run_id": f"run_{number}" if role == "assistant" else None,
        "assistant_id": None,
        "attachments": [],
        "metadata": {},
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
    }


def _http_library() -> Any:
    """httpx or, from openai 3 on, httpx2."""
    base = next(c for c in openai.DefaultHttpxClient.__mro__ if c.__module__.startswith("httpx"))
    return import_module(base.__module__.partition(".")[0])
