"""What gunicorn and Celery serve here: a run a request. Instrumented where it is imported: with `--preload`, before the fork."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from typing import Any

from openai import OpenAI

import runspan
from tests.support import app

runspan.instrument(fetch="never", linger_s=0.0, exit_timeout_s=20)


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
