"""The recipes of docs/responses-recipes.md, each file run as it stands there, by real workers of the real libraries."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from runspan.fake import Server, SimulatedClock, serve
from runspan.fake.responses import SECRET, Message, Scenario
from tests.recipes.support import QUIET, env_of, files_of, run, written
from tests.support.children import PATIENCE_S
from tests.support.fixtures import receiver
from tests.support.otlp import generations, unfinished
from tests.support.receiver import Receiver
from tests.support.serving import background, broker, free_port, wait_for

__all__ = ["broker", "receiver"]

pytest.importorskip("openai.types.webhooks", reason="this openai has no webhooks")

FILES = files_of("responses-recipes.md")
ANSWER = "The outer bank wears away faster, and so the bend grows."


@pytest.fixture
def server() -> Iterator[Server]:
    """Its clock stands until a test moves it."""
    scenario = Scenario((Message(ANSWER, seconds=1.0, token_s=1.0),), queue_s=1.0)
    with serve(responses=scenario, clock=SimulatedClock(poll_step_s=None)) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(FILES, tmp_path)


def advance(server: Server, seconds: float) -> None:
    server.clock.advance(seconds)  # type: ignore[attr-defined]


def check_one_span(receiver: Receiver, *, adopted: bool) -> None:
    """One span for the response, over, under the span that created it."""
    (response,) = generations(receiver)
    (ask,) = [s for s in receiver.spans if s.name == "ask"]
    assert unfinished(receiver) == {}
    assert (response.trace_id, response.parent_id) == (ask.trace_id, ask.span_id)
    assert response.attributes["runspan.run.status"] == "completed"
    assert ANSWER in str(response.attributes["gen_ai.output.messages"])
    assert response.attributes["gen_ai.usage.input_tokens"]
    if adopted:
        assert response.attributes["runspan.run.origin"] == "adopted"


def is_up(log: str, workers: int) -> bool:
    return "Uvicorn running" in log and log.count("Application startup complete") == workers


@pytest.mark.parametrize("workers", [1, 2])
def test_fastapi_with_a_webhook(workers: int, folder: Path, server: Server, receiver: Receiver) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    port = free_port()
    server.add_webhook(f"http://127.0.0.1:{port}/webhook")
    env = env_of(server, receiver, OPENAI_WEBHOOK_SECRET=SECRET, PYTHONUNBUFFERED="1")
    command = (sys.executable, *QUIET, "-m", "uvicorn", "hooked:app", "--port", str(port))
    with background(folder, env, *command, "--workers", str(workers)):
        wait_for(lambda: is_up((folder / "log").read_text(), workers), folder)
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ask?question=hi", data=b"").close()
        advance(server, 100)
        wait_for(lambda: ANSWER in (folder / "log").read_text(), folder)
    check_one_span(receiver, adopted=False)


def test_celery_beat_that_polls(folder: Path, broker: str, server: Server, receiver: Receiver) -> None:
    pytest.importorskip("celery")
    env = env_of(server, receiver, BROKER_URL=broker)
    command = (sys.executable, *QUIET, "-m", "celery", "-A", "looking")

    def polls() -> int:
        return sum(r.method == "GET" for r in server.requests)

    with background(folder, env, *command, "worker", "-B", "-l", "info", "-c", "2"):
        run(folder, env, *QUIET, "-m", "celery", "-A", "looking", "call", "looking.ask", "--args", '["Why?"]')
        wait_for(lambda: polls() >= 3, folder)
        advance(server, 100)
        wait_for(lambda: ANSWER in (folder / "log").read_text(), folder)
    check_one_span(receiver, adopted=True)


def test_a_resume_after_a_deploy(folder: Path, server: Server, receiver: Receiver) -> None:
    env = env_of(server, receiver)
    with subprocess.Popen(
        [sys.executable, *QUIET, "deployed.py"], cwd=folder, env=env, stdout=subprocess.PIPE, text=True
    ) as old:
        assert old.stdout is not None
        wait_for(lambda: any(r.method == "POST" for r in server.requests), folder)
        for _ in range(5):
            advance(server, 1)
        before = old.stdout.read(1)
        old.send_signal(signal.SIGTERM)
        before += old.stdout.read()
        assert old.wait(PATIENCE_S) == 0
    assert ANSWER.startswith(before)
    assert before != ANSWER
    advance(server, 100)
    assert before + run(folder, env, *QUIET, "deployed.py") == ANSWER
    assert not (folder / "open.json").exists()
    check_one_span(receiver, adopted=True)


def test_every_file_of_the_page_is_run_here() -> None:
    here = Path(__file__).read_text("utf-8")
    assert FILES.keys() == {"hooked.py", "looking.py", "deployed.py"}
    assert all(name.removesuffix(".py") in here for name in FILES)
