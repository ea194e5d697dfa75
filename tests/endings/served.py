"""What the servers serve: a Run a request, under an observed function.

`/unread` does not read the run's messages, so runspan has to fetch them.

`APP_INSTRUMENTS` says where `instrument()` stands: `module`, `lifespan`, `lifespan, both` (with `uninstrument()` at its end),
`factory`, or nowhere at all (``).
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from importlib import import_module
from typing import Any

from openai import AsyncOpenAI, OpenAI

WHERE = os.environ.get("APP_INSTRUMENTS", "")
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def runspan() -> Any:
    """Imported only where it is used: without it, the server ends as it does on its own."""
    return import_module("runspan")


def instrument(place: str) -> None:
    if place == WHERE.partition(",")[0]:
        runspan().instrument(exit_timeout_s=20)


def observed(function: Callable[..., Any]) -> Callable[..., Any]:
    return runspan().observe(function, name="answer") if WHERE else function


instrument("module")


@functools.cache
def async_client() -> AsyncOpenAI:
    return AsyncOpenAI(base_url=os.environ["APP_SERVER"], api_key="none", max_retries=0)


@functools.cache
def client_of(pid: int) -> OpenAI:
    """Not the parent's: connections must not be shared by a fork."""
    return OpenAI(base_url=os.environ["APP_SERVER"], api_key="none", max_retries=0)


@observed
async def answer(reads: bool) -> str:
    beta = async_client().beta
    assistant = await beta.assistants.create(model="gpt-4o", name="Math Tutor")
    run: Any = await beta.threads.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "What is 6 times 7?"}]}
    )
    while run.status in ("queued", "in_progress"):
        await asyncio.sleep(0.01)
        run = await beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    if reads:
        await beta.threads.messages.list(run.thread_id)
    return f"{os.getpid()} {run.id} {run.status}"


@observed
def answer_sync() -> str:
    beta = client_of(os.getpid()).beta
    assistant = beta.assistants.create(model="gpt-4o", name="Math Tutor")
    run: Any = beta.threads.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "What is 6 times 7?"}]}
    )
    while run.status in ("queued", "in_progress"):
        time.sleep(0.01)
        run = beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    beta.threads.messages.list(run.thread_id)
    return f"{os.getpid()} {run.id} {run.status}"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                instrument("lifespan")
            elif WHERE == "lifespan, both":
                runspan().uninstrument()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b"ready" if scope["path"] == "/ready" else (await answer(scope["path"] != "/unread")).encode()
    headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_app() -> Asgi:
    """`--factory`."""
    instrument("factory")
    return app


def application(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI."""
    body = b"ready" if environ["PATH_INFO"] == "/ready" else answer_sync().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
