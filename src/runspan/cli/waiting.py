"""For commands that serve until they are stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


def stopping() -> Callable[[], object]:
    """From now on Ctrl-C and SIGTERM only end the wait, which is the function given: what is open gets closed.

    Called before the address is printed, because a script may stop the command as soon as it knows that.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    return stopped.wait
