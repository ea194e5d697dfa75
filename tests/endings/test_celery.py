"""Celery's prefork pool, asked to leave right after its last task. Its processes leave by `os._exit`."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runspan.fake import SimulatedClock, serve
from tests.endings.test_servers import AT_THE_END_ALONE, ROUNDS
from tests.support import receiver as receivers
from tests.support.children import PATIENCE_S, ROOT, environment, run
from tests.support.otlp import generations, run_ids, unfinished
from tests.support.playing import ANSWERED
from tests.support.serving import background, wait_for

pytestmark = pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="celery is not installed")

STANDS_STILL_S = 40  # far longer than any of those that end

# Files are the broker: no server has to be there.
APP = """
import os
import pathlib
import threading

{first}
{second}

folder = pathlib.Path(os.environ["APP_FOLDER"])
tasks = Celery("tasks", broker="filesystem://")
tasks.conf.update(
    broker_transport_options={{
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
    }},
    worker_hijack_root_logger=False,
)


@tasks.task(name="ask")
def ask():
    from tests.support import app

    run = app.whole_run(app.client())
    (folder / f"done-{{run.id}}").write_text(threading.main_thread().name)
"""
IMPORTS = ("from celery import Celery", "import runspan; runspan.instrument(exit_timeout_s=20, linger_s=600)")


@pytest.mark.parametrize("first", [0, 1], ids=["celery first", "runspan first"])
@pytest.mark.parametrize("renewed", [(), ("--max-tasks-per-child", "3")], ids=["lasting", "renewed"])
def test_every_run_of_a_prefork_pool_arrives(first: int, renewed: tuple[str, ...], tmp_path: Path) -> None:
    ended = 0
    for round_ in range(2 * max(1, ROUNDS // 4)):
        folder = tmp_path / str(round_)
        (folder / "queue").mkdir(parents=True)
        (folder / "tasks.py").write_text(APP.format(first=IMPORTS[first], second=IMPORTS[1 - first]))
        ended += _one_round(folder, renewed)
        if ended == max(1, ROUNDS // 4):
            return
    pytest.fail(f"{ended} workers ended")


def _of_the_doomed(folder: Path) -> set[str]:
    """Runs of processes that a thread of Celery's has forked: the kernel kills them at the stop, with and without us."""
    return {
        path.name.removeprefix("done-")
        for path in folder.glob("done-*")
        if path.read_text() not in ("", "MainThread")
    }


def _stands_still(child: subprocess.Popen[str]) -> bool:
    """A pool that renews its processes may wait for ever for a lock at its end (celery 5.7, billiard 4.3: without us, too)."""
    try:
        child.wait(STANDS_STILL_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return True
    return False


def _one_round(folder: Path, renewed: tuple[str, ...]) -> bool:
    """Whether the worker ended; all has arrived then."""
    celery = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "tasks"]
    worker = [
        *celery,
        "worker",
        "-l",
        "info",
        "-c",
        "2",
        "-P",
        "prefork",
        "--without-gossip",
        "--without-mingle",
        *renewed,
    ]
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as fake, receivers.serve() as receiver:
        env = environment(fake, receiver, APP_FOLDER=str(folder), **AT_THE_END_ALONE)
        env["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT)])
        with background(folder, env, *worker) as child:
            wait_for(lambda: "ready." in (folder / "log").read_text(), folder)
            done = run(
                "import tasks\nfor _ in range(10): tasks.ask.delay()",
                {**env, "OTEL_SDK_DISABLED": "true"},
                strict=False,
            )
            assert done.code == 0, done.err
            wait_for(lambda: len(list(folder.glob("done-*"))) == 10, folder)
            wait_for(lambda: _of_the_doomed(folder) <= set(run_ids(receiver)), folder)
            child.send_signal(signal.SIGTERM)
            if renewed and _stands_still(child):
                return False
            assert child.wait(PATIENCE_S) == 0
        assert bool(_of_the_doomed(folder)) == bool(renewed)
        ids = sorted(path.name.removeprefix("done-") for path in folder.glob("done-*"))
        assert (run_ids(receiver), unfinished(receiver)) == (ids, {})
        assert len(generations(receiver)) == 10
    return True
