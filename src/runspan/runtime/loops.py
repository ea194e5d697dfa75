"""The event loop of asyncio that runs in this thread, if any. Whoever waits here blocks it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_held: list[Any] = []


def running() -> Any:
    """The loop; None: this thread may wait. Also uvloop's. `asyncio` is not imported for an app that does without."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@contextmanager
def held() -> Iterator[None]:
    """The block holds up this thread's loop: nothing can be asked there meanwhile."""
    loop = running()
    _held.append(loop)
    try:
        yield
    finally:
        _held.remove(loop)


def is_held(loop: Any) -> bool:
    return any(held is loop for held in list(_held))
