"""Locks and queues that are older than gevent's patches.

`monkey.patch_all()` turns threads into greenlets, and only what is made afterwards lets other greenlets go on while one waits.
gunicorn's gevent workers call it after the fork, so with `--preload` after `instrument()`. So what one of our threads will wait for
is looked at when the thread starts.
"""

from __future__ import annotations

import queue
import threading
from typing import Any


def queue_of_now(held: queue.SimpleQueue[Any]) -> queue.SimpleQueue[Any]:
    """`held`; where gevent came since, a queue of its kind with the same in it."""
    if isinstance(held, queue.SimpleQueue):
        return held
    anew: queue.SimpleQueue[Any] = queue.SimpleQueue()  # type: ignore[unreachable]  # gevent's
    while not held.empty():
        anew.put(held.get_nowait())
    return anew


def lock_of_now(held: Any) -> Any:
    """`held`, an RLock; where gevent came since, one of its kind: its own cannot tell greenlets of one thread apart."""
    anew = threading.RLock()
    return held if type(held) is type(anew) else anew
