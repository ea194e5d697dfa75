"""The event loop of asyncio that runs in this thread, if any. Whoever waits here blocks it."""

from __future__ import annotations

import sys
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
