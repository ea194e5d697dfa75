"""What takes long says so: a line on stderr that counts, on terminals only, from two seconds on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AFTER_S = 2.0
EVERY_S = 0.5
CLEAR = "\r\x1b[K"


@contextmanager
def progress(doing: str, what: str = "") -> Iterator[Callable[[int], None]]:
    """Gives the function that is told how many there are so far. `what`: of which things."""
    done, is_over, began_s = [0], threading.Event(), time.monotonic()

    def watch() -> None:
        wait_s = AFTER_S
        while not is_over.wait(wait_s):
            wait_s = EVERY_S
            number = f", {done[0]:,} {what}" if what else ""
            sys.stderr.write(f"{CLEAR}{doing}{number} ({time.monotonic() - began_s:.0f} s)")
            sys.stderr.flush()
        if wait_s == EVERY_S:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    watcher = threading.Thread(target=watch, daemon=True)
    if sys.stderr.isatty():
        watcher.start()
    try:
        yield lambda count: done.__setitem__(0, count)
    finally:
        is_over.set()
        if watcher.ident is not None:
            watcher.join()
