"""Batches cut by their encoded size, so that no limit of a receiver loses a whole one.

The SDK's processor makes batches by count: 512 spans of 130 KB are 66 MB, and gRPC servers take 4 MiB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..guard import logger
from . import sizes
from .answers import Answers

FLOOR_BYTES = 16_384  # no receiver is asked to take less


class Sized(SpanExporter):
    """Sends at most `max_bytes` at once, less when the receiver says that it is too much, and remembers that."""

    def __init__(self, inner: SpanExporter, max_bytes: int, answers: Answers, cure: str) -> None:
        self.inner = inner
        self.delivered = 0  # spans of the last batch
        self._max_bytes = max_bytes
        self._answers = answers
        self._cure = cure
        self._is_away = False  # nobody there: each further try would cost the SDK's 10 s

    @property
    def cure(self) -> str:
        """What to look at after a failure."""
        status = self._answers.status
        return self._cure if status is None else f"It answered {status}. {self._cure}"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """FAILURE: all but `delivered` are lost."""
        self.delivered, self._is_away = 0, False
        for part in self._parts(spans):
            self._send(part)
        return SpanExportResult.SUCCESS if self.delivered == len(spans) else SpanExportResult.FAILURE

    def _parts(self, spans: Sequence[ReadableSpan]) -> Iterator[list[ReadableSpan]]:
        """In order. The sizes are asked for only where a cheap bound does not do."""
        if sizes.at_most(spans) <= self._max_bytes:
            yield list(spans)
            return
        part: list[ReadableSpan] = []
        left = self._max_bytes
        for span in spans:
            size = sizes.encoded([span])  # with the resource each time: rather too much than too little
            if part and size > left:
                yield part
                part, left = [], self._max_bytes
            part.append(span)
            left -= size
        if part:
            yield part

    def _send(self, spans: list[ReadableSpan]) -> None:
        if self._is_away:
            return
        if len(spans) == 1 and sizes.at_most(spans) > self._max_bytes:
            fitting = self._fitting(spans[0])
            if fitting is None:
                return
            spans = [fitting]
        self._answers.clear()
        try:
            result = self.inner.export(spans)
        except Exception:
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS and not self._answers.is_redirect:
            self.delivered += len(spans)
        elif self._answers.is_too_large:
            self._send_less(spans)
        else:
            self._is_away = not self._answers.is_final

    def _fitting(self, span: ReadableSpan) -> ReadableSpan | None:
        if sizes.encoded([span]) <= self._max_bytes:
            return span
        return sizes.shrunk(span, self._max_bytes, sizes.encoded)

    def _send_less(self, spans: list[ReadableSpan]) -> None:
        refused = sizes.encoded(spans)
        if refused <= FLOOR_BYTES:
            return
        smaller = max(refused // 2, FLOOR_BYTES)
        if smaller < self._max_bytes:
            self._max_bytes = smaller
            logger.info(
                "runspan: the receiver refuses %d bytes at once; batches are smaller from now on.", refused
            )
        for part in self._parts(spans):
            self._send(part)

    def shutdown(self) -> None:
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.inner.force_flush(timeout_millis)
