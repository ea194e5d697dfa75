"""What one live run holds: its state, its span, and the ten messages of its thread."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

from opentelemetry.sdk.trace import SpanProcessor

from benches.door import Door
from benches.timing import provider_with
from table import Row

RUNS, WARM_UP = 500, 50
MESSAGES, CHARS = 10, 500


def rows() -> Iterator[Row]:
    door = Door(SpanProcessor(), simulated=True)

    def begin(number: int) -> None:
        texts = (f"{number} {index} ".ljust(CHARS, "x") for index in range(MESSAGES))
        door.take(door.started(number, [{"role": "user", "content": text} for text in texts]))
        door.take(door.polled(number, "in_progress"))

    for number in range(RUNS, RUNS + WARM_UP):
        begin(number)
    tracemalloc.start()
    held = _held(begin)
    tracer = provider_with().get_tracer("bare")
    bare = _held(lambda number: tracer.start_span("bare"))  # open, without attributes
    note = f"texts alone {MESSAGES * CHARS / 1024:.1f} KB, {door.handle.stats().live - WARM_UP} runs"
    what = "memory of a live run with 10 messages of 500 characters"
    yield Row(what, held / 1024, "KB", 16, bare=held / bare, note=note)


def _held(make: Callable[[int], object]) -> float:
    """Bytes of each of RUNS."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    kept = [make(number) for number in range(RUNS)]
    gc.collect()
    return (tracemalloc.get_traced_memory()[0] - before) / len(kept)
