"""Processes that a task of Celery's starts: its own must not have children of multiprocessing, so they are billiard's."""

from __future__ import annotations

import importlib.util

import pytest

from runspan.fake import serve
from tests.endings.test_servers import AT_THE_END_ALONE
from tests.support import receiver as receivers
from tests.support.children import environment, run
from tests.support.otlp import run_ids

SCRIPT = """
import billiard
import runspan
runspan.instrument(exit_timeout_s=20)
from tests.support import app

def begin():
    print(app.begin_run(app.client()).id, flush=True)

if __name__ == "__main__":
    {before}
    child = billiard.get_context("fork").Process(target=begin)
    child.start()
    child.join()
    raise SystemExit(child.exitcode)
"""


@pytest.mark.skipif(importlib.util.find_spec("billiard") is None, reason="billiard is not installed")
@pytest.mark.parametrize("before", ["pass", "begin()"])
def test_a_forked_process_delivers_its_own_runs(before: str) -> None:
    with serve() as fake, receivers.serve() as receiver:
        ended = run(
            SCRIPT.format(before=before), environment(fake, receiver, **AT_THE_END_ALONE), strict=False
        )
    assert ended.code == 0, ended.err
    assert run_ids(receiver) == sorted(ended.out.split())
