"""gunicorn's settings here: a worker says in the log when its signal handlers are set.

A gevent worker patches the process first, and gevent then looks at every object, which makes openai import its lazy modules: a
second or more. The arbiter sends SIGTERM once; a worker that has no handler yet loses it and is killed after the graceful timeout
(gunicorn 27.0.1, gevent 26.9.0, without runspan as well).
"""

from __future__ import annotations

from typing import Any

READY = "Signal handlers are set"


def post_worker_init(worker: Any) -> None:
    worker.log.info(READY)
