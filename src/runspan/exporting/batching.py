"""The processor between our spans and their exporter: a bounded queue, one thread, and a count of all that came and went.

The SDK's own drops what finds no room, and what still waits in it at the end, without a count. It starts a thread in every forked
child before the child's first line, which under gevent lets the parent's greenlets run on there
(open-telemetry/opentelemetry-python#4298); this one starts its thread at the first span.
"""

from __future__ import annotations

import queue
import threading
from collections import deque

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter

from ..runtime import clock
from ..runtime.emitter import suppressed
from ..runtime.lone_thread import LoneThread
from ..runtime.primitives import lock_of_now, queue_of_now

END_S = 30.0  # how long `shutdown` waits for the last batch, as the SDK's does


class Batching(SpanProcessor):
    """`taken`: spans that ended here and were to be exported. `overflown`: those of them that found no room.

    `on_end` takes no lock: a signal handler or a finalizer may interrupt it anywhere and end a span itself.
    """

    def __init__(
        self, exporter: SpanExporter, *, max_queue: int = 2_048, max_batch: int = 512, delay_s: float = 1.0
    ) -> None:
        self._exporter = exporter
        self._max_queue, self._max_batch, self._delay_s = max_queue, max_batch, delay_s
        self._counts: dict[int, list[int]] = {}  # by thread [taken, overflown]: each changes its own numbers
        self._renew()

    def _renew(self) -> None:
        self._spans: deque[ReadableSpan] = deque()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._exporting = threading.RLock()
        self._thread = LoneThread("runspan-export", self._work, lambda: bool(self._spans), self._prepare)
        self._is_awake = False  # the thread was told that something waits
        self._is_pressed = False  # it was told that a batch is full
        self._is_over = False

    @property
    def taken(self) -> int:
        return sum(taken for taken, _ in list(self._counts.values()))

    @property
    def overflown(self) -> int:
        return sum(overflown for _, overflown in list(self._counts.values()))

    def on_start(self, span: Span, parent_context: Context | None = None) -> None: ...

    def on_end(self, span: ReadableSpan) -> None:
        context = span.context
        if self._is_over or context is None or not context.trace_flags.sampled:
            return
        has_room = len(self._spans) < self._max_queue
        if has_room:
            self._spans.append(span)
        counts = self._counts.get(threading.get_ident()) or self._counts.setdefault(
            threading.get_ident(), [0, 0]
        )
        counts[0] += 1  # counted when it is in: a flush meanwhile must not miss it
        counts[1] += not has_room
        if not self._is_awake:
            self._is_awake = True
            self._wake.put(None)
        if not self._is_pressed and len(self._spans) >= self._max_batch:
            self._is_pressed = True
            self._wake.put(None)
        if not self._thread.is_running:
            self._thread.start()  # where the system has none now, the next span tries again; a flush needs none

    def _prepare(self) -> None:
        self._wake, self._exporting = queue_of_now(self._wake), lock_of_now(self._exporting)

    def _work(self) -> None:
        while not self._is_over:
            self._wake.get()
            until_s = clock.monotonic_s() + self._delay_s
            while len(self._spans) < self._max_batch and not self._is_over:
                left_s = until_s - clock.monotonic_s()
                if left_s <= 0:
                    break
                try:
                    self._wake.get(timeout=left_s)
                except queue.Empty:
                    break
            self._is_awake = self._is_pressed = False
            self._export()
        self._export()

    def _export(self) -> None:
        """All that waits."""
        with self._exporting, suppressed():
            while batch := self._next():
                self._exporter.export(batch)

    def _next(self) -> list[ReadableSpan]:
        count = min(len(self._spans), self._max_batch)  # only this method takes any out, and one at a time
        return [self._spans.popleft() for _ in range(count)]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """On the caller's thread, and as long as the exporter takes."""
        self._export()
        return not self._is_over

    def shutdown(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._wake.put(None)
        if self._thread.join(END_S):
            self._export()
        self._exporter.shutdown()

    def stay_behind(self) -> None:
        """In a forked child: what is here is the parent's."""
        self._renew()
        self._is_over = True

    def begin_anew(self) -> None:
        """In a forked child that goes on with this one."""
        self._renew()
        self._counts = {}
