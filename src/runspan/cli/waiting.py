"""For commands that serve until they are stopped."""

from __future__ import annotations

import signal
import threading


def until_stopped() -> None:
    """Returns at Ctrl-C and at SIGTERM, so that what is open gets closed."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
