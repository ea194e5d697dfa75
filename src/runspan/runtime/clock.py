"""The clock of the run model. It is monotonic, so no step of the system's clock bends a run.

The wall clock goes its own way: it goes on while the computer sleeps, NTP sets it back or forth, tests freeze it. So each live
span notes at its start how far the two are apart, and all its times are moved by that when it is exported.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

TOLERANCE_NS = 1_000_000  # clocks that differ by less agree: two readings are never taken at the same moment


def _own_time() -> Any:
    """A copy of the `time` module. freezegun replaces the functions of the shared one, and with those no deadline would come."""
    spec = time.__spec__
    if spec is None or spec.loader is None:
        return time
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


_time = _own_time()
counter_ns: Callable[[], int] = _time.perf_counter_ns  # for lengths of time alone
_OFFSET_NS: int = _time.time_ns() - counter_ns()
monotonic_s: Callable[[], float] = _time.monotonic  # for deadlines


def now_ns() -> int:
    """Nanoseconds since the epoch, as the wall clock stood at the import; never goes back."""
    return counter_ns() + _OFFSET_NS


def wall_offset_ns() -> int:
    """What is to be added to `now_ns()` for the time of the wall clock, as the app reads it now."""
    offset_ns = time.time_ns() - now_ns()
    return offset_ns if abs(offset_ns) >= TOLERANCE_NS else 0
