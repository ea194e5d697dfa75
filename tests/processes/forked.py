"""An app that hands work to a child made by `multiprocessing`: `python -m tests.processes.forked fork|spawn|forkserver`."""

from __future__ import annotations

import multiprocessing
import sys

import runspan
from tests.support import app


def in_child(starts_itself: bool) -> None:
    if starts_itself:
        runspan.instrument(exit_timeout_s=20)
    print("child", app.begin_run(app.client()).id, flush=True)


def main(method: str) -> None:
    runspan.instrument(exit_timeout_s=20)
    print("parent", app.begin_run(app.client()).id, flush=True)
    child = multiprocessing.get_context(method).Process(target=in_child, args=(method != "fork",))
    child.start()
    child.join()
    print("code", child.exitcode, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
