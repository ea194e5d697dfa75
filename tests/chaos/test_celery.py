"""Celery's prefork pool with a real broker: several processes, renewed after a few tasks, asked to leave."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runspan.fake import Server
from runspan.viewer.receiver import Receiver
from tests.chaos.arriving import check_arrived
from tests.support.children import PATIENCE_S, ROOT, environment
from tests.support.serving import background, wait_for

celery = pytest.importorskip("celery")
pytest.importorskip("redis")


@pytest.mark.parametrize("renewed", [(), ("--max-tasks-per-child", "3")], ids=["lasting", "renewed"])
def test_celery_prefork(
    renewed: tuple[str, ...], tmp_path: Path, broker: str, server: Server, receiver: Receiver, many: int
) -> None:
    worker = (
        *(
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "celery",
            "--workdir",
            str(ROOT),
            "-A",
            "tests.chaos.serving_app:tasks",
        ),
        *(
            "worker",
            "-l",
            "info",
            "-c",
            "4",
            "-P",
            "prefork",
            "--without-gossip",
            "--without-mingle",
            *renewed,
        ),
    )
    asking = celery.Celery("asking", broker=broker, backend=broker)
    with asking, background(tmp_path, environment(server, receiver, BROKER_URL=broker), *worker):
        wait_for(lambda: "ready." in (tmp_path / "log").read_text(), tmp_path)
        sent = [asking.send_task("ask") for _ in range(12 * many)]
        said = [task.get(timeout=PATIENCE_S).split() for task in sent]
    assert len({pid for pid, _ in said}) > (4 if renewed else 0)
    check_arrived(receiver, [run_id for _, run_id in said])
