"""What one live run holds: its state, its span, and the ten messages of its thread."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from benches.door import Door
from benches.table import Row

RUNS, WARM_UP = 500, 50
MESSAGES, CHARS = 10, 500


def rows() -> Iterator[Row]:
    door = Door(SpanProcessor(), simulated=True)
    _begin(door, range(WARM_UP))
    tracemalloc.start()
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    _begin(door, range(WARM_UP, WARM_UP + RUNS))
    gc.collect()
    held = (tracemalloc.get_traced_memory()[0] - before) / RUNS
    note = f"texts alone {MESSAGES * CHARS / 1024:.1f} KB, {door.handle.stats().live - WARM_UP} runs"
    yield Row(
        "memory of a live run with 10 messages of 500 characters",
        held / 1024,
        "KB",
        16,
        bare=held / _bare(),
        note=note,
    )


def _begin(door: Door, numbers: range) -> None:
    for number in numbers:
        texts = [f"{number} {index} ".ljust(CHARS, "x") for index in range(MESSAGES)]
        door.take(door.started(number, [{"role": "user", "content": text} for text in texts]))
        door.take(door.polled(number, "in_progress"))


def _bare() -> float:
    """Bytes of one open span of OpenTelemetry without attributes."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("bare")
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    kept = [tracer.start_span("bare") for _ in range(RUNS)]
    return (tracemalloc.get_traced_memory()[0] - before) / len(kept)
