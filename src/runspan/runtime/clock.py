"""The one local clock: `perf_counter_ns` anchored once to `time_ns`, so no step of the system's clock bends a span."""

from __future__ import annotations

import time

_OFFSET_NS = time.time_ns() - time.perf_counter_ns()


def now_ns() -> int:
    """Nanoseconds since the epoch; never goes back."""
    return time.perf_counter_ns() + _OFFSET_NS
