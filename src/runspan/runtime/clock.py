"""The clock of the run model. It is monotonic, so no step of the system's clock bends a run.

The wall clock goes its own way: it goes on while the computer sleeps, NTP sets it back or forth, tests freeze it. So each live
span notes at its start how far the two are apart, and all its times are moved by that when it is exported.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TOLERANCE_NS = 1_000_000  # clocks that differ by less agree: two readings are never taken at the same moment


_OFFSET_NS = time.time_ns() - time.perf_counter_ns()


# As a default: freezegun replaces the functions that stand in a module under a name.
def now_ns(_counter_ns: Callable[[], int] = time.perf_counter_ns) -> int:
    """Nanoseconds since the epoch, as the wall clock stood at the import; never goes back."""
    return _counter_ns() + _OFFSET_NS


def wall_offset_ns() -> int:
    """What is to be added to `now_ns()` for the time of the wall clock, as the app reads it now."""
    offset_ns = time.time_ns() - now_ns()
    return offset_ns if abs(offset_ns) >= TOLERANCE_NS else 0
