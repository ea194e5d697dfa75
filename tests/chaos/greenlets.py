"""An app on gevent: `python -m tests.chaos.greenlets WHEN TIMES`, patched at one of several moments; prints the ids of its runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def patch() -> None:
    from gevent import monkey

    monkey.patch_all()


def import_runspan() -> None:
    import runspan  # noqa: F401
    from runspan import setup  # noqa: F401


def instrument() -> None:
    import runspan

    runspan.instrument(settle_s=0.0, exit_timeout_s=20)


WHEN: dict[str, tuple[Callable[[], None], ...]] = {
    "before the import": (patch, import_runspan, instrument),
    "after the import": (import_runspan, patch, instrument),
    "after instrument()": (import_runspan, instrument, patch),
}


def main(when: str, times: int) -> None:
    os.register_at_fork(after_in_child=_only_parents_go_on)
    for step in WHEN[when]:
        step()
    import subprocess

    import gevent

    import runspan
    from tests.support import app

    client = app.client()

    def ask() -> None:
        with runspan.span("request"):
            run_id = app.whole_run(client).id
        subprocess.run(["true"], check=True)
        print(run_id, flush=True)

    gevent.joinall([gevent.spawn(ask) for _ in range(times)], raise_error=True)


forks = 0


def _only_parents_go_on() -> None:
    """Were a greenlet to go on in a child, it would fork again, and so on without end: such a child is gone at once."""
    global forks
    forks += 1
    if forks > 1:
        os.write(2, b"a greenlet went on in a forked child\n")
        os._exit(97)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
