"""Celery's prefork pool with a real broker: several processes, renewed after a few tasks, asked to leave."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from runspan.fake import Server
from tests.chaos.arriving import check_arrived
from tests.support.children import PATIENCE_S, ROOT, environment
from tests.support.receiver import Receiver
from tests.support.serving import background, wait_for

celery = pytest.importorskip("celery")
pytest.importorskip("redis")


WORKER = (
    *(
        "-W",
        "ignore",
        "-m",
        "celery",
        "--workdir",
        str(ROOT),
        "-A",
        "tests.chaos.serving_app:tasks",
        "worker",
    ),
    *("-l", "info", "-c", "4", "-P", "prefork", "--without-gossip", "--without-mingle"),
)
A_PROCESS = 2  # tasks, where processes are renewed


@pytest.mark.parametrize("is_renewed", [False, True], ids=["lasting", "renewed"])
def test_celery_prefork(
    is_renewed: bool, tmp_path: Path, broker: str, server: Server, receiver: Receiver, many: int
) -> None:
    """No span leaves a process before its end: each must deliver there, in the middle of the work or after it."""
    env = environment(server, receiver, BROKER_URL=broker, OTEL_BSP_SCHEDULE_DELAY="600000")
    renewal = ("--max-tasks-per-child", str(A_PROCESS)) if is_renewed else ()
    asking = celery.Celery("asking", broker=broker, backend=broker)
    with asking, background(tmp_path, env, sys.executable, *WORKER, *renewal):
        wait_for(lambda: "ready." in (tmp_path / "log").read_text(), tmp_path)
        sent = [asking.send_task("ask") for _ in range(12 * many)]
        said = [task.get(timeout=PATIENCE_S).split() for task in sent]
    if is_renewed:
        assert max(Counter(pid for pid, _ in said).values()) <= A_PROCESS
    check_arrived(receiver, [run_id for _, run_id in said])
