"""A batch processor that knows how many spans it was given, so that those lost on its way can be told.

The SDK's own keeps 2,048 spans and drops what comes on top, and what still waits in it when the process ends is gone: both
without a count.
"""

from __future__ import annotations

import os
import threading

from opentelemetry.sdk.environment_variables import OTEL_BSP_SCHEDULE_DELAY
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from .unforked import leave_behind

EXPORT_DELAY_MS = 1_000  # the SDK's default is 5 s; a process that is killed loses what waits here


class Counted(BatchSpanProcessor):
    """`taken`: spans that ended here and were to be exported."""

    def __init__(self, exporter: object) -> None:
        # The variable, where it is set, is read by the SDK itself.
        delay_ms = None if os.environ.get(OTEL_BSP_SCHEDULE_DELAY) else EXPORT_DELAY_MS
        super().__init__(exporter, schedule_delay_millis=delay_ms)  # type: ignore[arg-type]
        self._taken: dict[int, int] = {}  # by thread: each changes its own number, so nothing is locked

    def on_end(self, span: ReadableSpan) -> None:
        super().on_end(span)
        context = span.context
        if (
            context is not None and context.trace_flags.sampled
        ):  # counted when it is in: a flush meanwhile must not miss it
            thread = threading.get_ident()
            self._taken[thread] = self._taken.get(thread, 0) + 1

    @property
    def taken(self) -> int:
        return sum(list(self._taken.values()))

    def stay_behind(self) -> None:
        """In a forked child: what is here is the parent's."""
        leave_behind(self._batch_processor)
