"""What gunicorn and Celery serve here: a run a request. Instrumented where it is imported: with `--preload`, before the fork."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qs

from openai import OpenAI

import runspan
from tests.support import app

runspan.instrument(fetch="never", settle_s=0.0, exit_timeout_s=20)


@functools.cache
def client_of(pid: int) -> OpenAI:
    """Not the parent's: its connections must not be shared."""
    return app.client()


def ask() -> str:
    with runspan.span("request"):
        id_: str = app.whole_run(client_of(os.getpid())).id
    return id_


def application(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {ask()}".encode()]


@runspan.observe(kind="tool")
def get_weather(city: str, answers: str) -> str:
    runspan.update(attributes={"answers": answers})
    return f"{city}: 12 °C"


def users(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A user who answers the calls of his run, or leaves it waiting for ever."""
    query = parse_qs(environ["QUERY_STRING"])
    with runspan.span("request") if "span" in query else nullcontext():
        runs = client_of(os.getpid()).beta.threads.runs
        run = app.begin_run(client_of(os.getpid()))
        while run.status in ("queued", "in_progress"):
            run = runs.retrieve(run.id, thread_id=run.thread_id)
        if query["leaves"] == ["0"]:
            outputs = [
                {
                    "tool_call_id": call.id,
                    "output": get_weather(**json.loads(call.function.arguments), answers=run.id),
                }
                for call in run.required_action.submit_tool_outputs.tool_calls
            ]
            runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {run.id}".encode()]


def celery() -> Any:
    """`celery -A tests.chaos.serving_app:tasks`."""
    from celery import Celery

    broker = os.environ["BROKER_URL"]
    tasks = Celery("tasks", broker=broker, backend=broker)
    tasks.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)

    @tasks.task(name="ask")
    def asked() -> str:
        return f"{os.getpid()} {ask()}"

    return tasks


if "BROKER_URL" in os.environ:
    tasks = celery()
