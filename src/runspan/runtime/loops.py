"""The event loop of asyncio that runs in this thread, if any. Whoever waits here blocks it."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any


def running() -> Any:
    """The loop; None: this thread may wait. Also uvloop's. `asyncio` is not imported for an app that does without."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def reference() -> Callable[[], Any]:
    """A weak reference to that loop; where there is none, it gives None from the start."""
    loop = running()
    return nothing if loop is None else weakref.ref(loop)


def nothing() -> None:
    """A weak reference to what is not there."""
