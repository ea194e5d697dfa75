"""Real gunicorn with several workers: forked from a preloaded app or not, recycled, asked to leave while requests are under way."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from runspan.fake import FunctionCall, Message, Scenario, Server, Tools
from tests.chaos import gunicorn_hooks
from tests.chaos.arriving import check_arrived
from tests.support.children import ROOT, environment
from tests.support.otlp import runs
from tests.support.receiver import Receiver
from tests.support.serving import background, free_port, wait_for

pytest.importorskip("gunicorn")

WORKERS = {"sync": (), "gthread": ("--threads", "4"), "gevent": ()}


@pytest.fixture(params=WORKERS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "gevent":
        pytest.importorskip("gevent")
    return str(request.param)


@contextmanager
def gunicorn(
    folder: Path, server: Server, receiver: Receiver, kind: str, *more: str, app: str = "application"
) -> Iterator[Callable[..., str]]:
    """It runs meanwhile; what it gives makes one request (with a query), and has the answer `PID RUN_ID`."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = (
        *(sys.executable, "-W", "ignore", "-m", "gunicorn", f"tests.chaos.serving_app:{app}"),
        *("--bind", f"127.0.0.1:{port}", "--workers", "4", "--worker-class", kind, *WORKERS[kind]),
        *("--chdir", str(ROOT), "--timeout", "100", "--graceful-timeout", "60", "--no-control-socket"),
        *("--config", gunicorn_hooks.__file__, *more),
    )

    def request(query: str = "") -> str:
        with urllib.request.urlopen(f"{address}/?{query}", timeout=100) as answer:
            said: str = answer.read().decode()
        return said

    def all_hear_signals() -> bool:
        log = (folder / "log").read_text()
        return 0 < log.count("Booting worker") <= log.count(gunicorn_hooks.READY)

    with background(folder, environment(server, receiver), *command):
        wait_for(all_hear_signals, folder)
        yield request
        wait_for(all_hear_signals, folder)


def in_parallel(request: Callable[[], str], times: int) -> list[list[str]]:
    with ThreadPoolExecutor(8) as pool:
        return [job.result().split() for job in [pool.submit(request) for _ in range(times)]]


def test_gunicorn(kind: str, tmp_path: Path, server: Server, receiver: Receiver, many: int) -> None:
    with gunicorn(tmp_path, server, receiver, kind, "--preload") as request:
        said = in_parallel(request, 12 * many)
    assert str(os.getpid()) not in {pid for pid, _ in said}
    check_arrived(receiver, [run_id for _, run_id in said])


def test_gunicorn_whose_workers_import_the_app_themselves(
    tmp_path: Path, server: Server, receiver: Receiver, many: int
) -> None:
    with gunicorn(tmp_path, server, receiver, "sync") as request:
        said = in_parallel(request, 12 * many)
    check_arrived(receiver, [run_id for _, run_id in said])


def test_gunicorn_whose_workers_are_recycled(
    kind: str, tmp_path: Path, server: Server, receiver: Receiver, many: int
) -> None:
    with gunicorn(tmp_path, server, receiver, kind, "--preload", "--max-requests", "3") as request:
        said = in_parallel(request, 16 * many)

        def a_fifth_has_served() -> bool:
            """gevent's workers serve for up to a second after their last request, which is enough for all of ours."""
            said.extend(in_parallel(request, 4))
            return len({pid for pid, _ in said}) > 4

        wait_for(a_fifth_has_served, tmp_path)
    check_arrived(receiver, [run_id for _, run_id in said])


def test_gunicorn_that_is_asked_to_leave_while_requests_are_under_way(
    kind: str, tmp_path: Path, server: Server, receiver: Receiver
) -> None:
    with ThreadPoolExecutor(3) as pool:
        with gunicorn(tmp_path, server, receiver, kind, "--preload") as request:
            in_flight = [pool.submit(request) for _ in range(3)]
            wait_for(lambda: sum(r.path.endswith("/runs") for r in server.requests) >= 3, tmp_path)
        said = [job.result().split() for job in in_flight]
    check_arrived(receiver, [run_id for _, run_id in said])


@pytest.mark.parametrize("span", ["", "span=1"])
@pytest.mark.parametrize("leaves", [(1, 0), (1, 0, 1, 1, 0), (0, 1, 0)])
def test_gunicorn_whose_one_worker_serves_a_user_after_one_who_left(
    tmp_path: Path, server: Server, receiver: Receiver, leaves: tuple[int, ...], span: str
) -> None:
    """With the same thread and the same arguments: each answers the calls of his own run."""
    asks = Tools((FunctionCall("get_weather", '{"city": "Paris"}'),))
    with gunicorn(tmp_path, server, receiver, "sync", "--workers", "1", app="users") as request:
        for left in leaves:
            server.play_next(Scenario(phases=(asks, Message("Sunny.")), poll_after_ms=1))
            request(f"leaves={left}&{span}")
    ids = {s.span_id: s.attributes["runspan.run.id"] for s in runs(receiver)}
    tools = [s for s in receiver.spans if "answers" in s.attributes]
    assert len(tools) == leaves.count(0)
    assert [ids.get(str(s.parent_id)) for s in tools] == [s.attributes["answers"] for s in tools]
