"""What the child processes' apps do with the client. Knows nothing of runspan."""

from __future__ import annotations

import itertools
import json
import os
import time
from importlib import import_module
from typing import Any

import openai
from openai import OpenAI

MODEL = "gpt-4o"


def client() -> OpenAI:
    """A client of the fake server of the test."""
    return OpenAI(base_url=os.environ["APP_SERVER"], api_key="none", max_retries=0)


def begin_run(client: OpenAI) -> Any:
    """A Run on a thread of its own, not looked at again."""
    assistant = client.beta.assistants.create(model=MODEL, name="Math Tutor")
    return client.beta.threads.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "What is 1 + 1?"}]}
    )


def begin_one() -> Any:
    """A Run of a client of its own, which is closed then."""
    with client() as made:
        return begin_run(made)


def whole_run(client: OpenAI) -> Any:
    """A Run that the app sees completed, its messages read."""
    run = begin_run(client)
    while run.status in ("queued", "in_progress"):
        time.sleep(0.01)
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    client.beta.threads.messages.list(run.thread_id)
    return run


def _http_library() -> Any:
    """httpx or, from 3.x on, httpx2."""
    base = next(c for c in openai.DefaultHttpxClient.__mro__ if c.__module__.startswith("httpx"))
    return import_module(base.__module__.partition(".")[0])


HTTP = _http_library()


def canned_client(base_url: str = "http://127.0.0.1:1/v1", status: str = "queued") -> OpenAI:
    """A client whose server answers without a socket: each POST is a new queued Run. For thousands of them.

    `status` is what a GET of a Run says.
    """
    numbers = itertools.count(1)

    def answer(request: Any) -> Any:
        is_new = request.method == "POST"
        number = next(numbers) if is_new else int(request.url.path.rpartition("_")[2])
        run = {
            "id": f"run_{number}",
            "object": "thread.run",
            "thread_id": f"thread_{number}",
            "status": "queued" if is_new else status,
        }
        known = {"created_at": int(time.time()), "assistant_id": "asst_1", "model": MODEL, "tools": []}
        return HTTP.Response(
            200, content=json.dumps(run | known), headers={"content-type": "application/json"}
        )

    return OpenAI(
        base_url=base_url,
        api_key="none",
        max_retries=0,
        http_client=openai.DefaultHttpxClient(transport=HTTP.MockTransport(answer)),
    )


def begin_runs(client: OpenAI, number: int) -> None:
    """That many Runs alive at once."""
    for _ in range(number):
        client.beta.threads.create_and_run(assistant_id="asst_1")
