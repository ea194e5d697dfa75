"""The recipes of docs/processes.md, each file run as it stands there, by real workers of the real libraries.

`make test-recipes` has an environment with Celery, RQ and FastAPI; the broker is Debian's redis-server on a port of our own.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from runspan.fake import Server, serve
from tests.recipes.support import QUIET, env_of, files_of, run, written
from tests.support.fixtures import receiver
from tests.support.otlp import generations, run_ids, runs, unfinished
from tests.support.receiver import Receiver
from tests.support.serving import background, broker, free_port, wait_for

__all__ = ["broker", "receiver"]

FILES = files_of("processes.md")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("text") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(FILES, tmp_path)


def check_one_trace(receiver: Receiver, *, adopted: bool) -> None:
    """One finished run under the span that created it."""
    assert len(run_ids(receiver)) == 1
    (run,), (generation,) = runs(receiver), generations(receiver)
    (ask,) = [s for s in receiver.spans if s.name == "ask"]
    assert unfinished(receiver) == {}
    assert (run.parent_id, generation.parent_id) == (ask.span_id, run.span_id)
    assert {s.trace_id for s in receiver.spans} == {ask.trace_id}
    assert run.attributes.get("runspan.run.origin") == ("adopted" if adopted else None)
    assert "gen_ai.usage.input_tokens" in generation.attributes


METHODS = ["spawn", "fork", "forkserver"] if sys.platform == "linux" else ["spawn"]


@pytest.mark.parametrize("method", METHODS)
def test_multiprocessing(method: str, folder: Path, server: Server, receiver: Receiver) -> None:
    assert run(folder, env_of(server, receiver), *QUIET, "children.py", method) == ""
    check_one_trace(receiver, adopted=True)


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_celery(pool: str, folder: Path, broker: str, server: Server, receiver: Receiver) -> None:
    pytest.importorskip("celery")
    env = env_of(server, receiver, BROKER_URL=broker)
    worker = (
        sys.executable,
        *QUIET,
        "-m",
        "celery",
        "-A",
        "tasks",
        "worker",
        "-l",
        "info",
        "-c",
        "1",
        "-P",
        pool,
    )
    with background(folder, env, *worker):
        run(folder, env, *QUIET, "web.py")
        wait_for(lambda: "succeeded" in (folder / "log").read_text(), folder)
    check_one_trace(receiver, adopted=True)


def test_rq(folder: Path, broker: str, server: Server, receiver: Receiver) -> None:
    pytest.importorskip("rq")
    env = env_of(server, receiver, BROKER_URL=broker)
    run(folder, env, *QUIET, "enqueue.py")
    run(folder, env, *QUIET, "-m", "rq.cli", "worker", "--burst", "--url", broker)
    check_one_trace(receiver, adopted=True)


def test_fastapi(folder: Path, server: Server, receiver: Receiver) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    port = free_port()
    env = env_of(server, receiver)
    address = f"http://127.0.0.1:{port}"
    command = (sys.executable, *QUIET, "-m", "uvicorn", "service:app", "--port", str(port))
    with background(folder, env, *command):
        wait_for(lambda: "Uvicorn running" in (folder / "log").read_text(), folder)
        urllib.request.urlopen(f"{address}/ask?question=hi", data=b"").close()
        wait_for(lambda: any("/messages" in r.path and r.method == "GET" for r in server.requests), folder)
    check_one_trace(receiver, adopted=False)


def test_every_file_of_the_page_is_run_here() -> None:
    here = Path(__file__).read_text("utf-8")
    assert FILES.keys() == {"children.py", "tasks.py", "web.py", "jobs.py", "enqueue.py", "service.py"}
    modules = (name.removesuffix(".py") for name in FILES)
    assert all(module in here for module in modules)
    assert os.environ.get("OPENAI_BASE_URL") is None
