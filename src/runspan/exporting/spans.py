"""The OTLP exporter of spans: encoded once, cut into requests of bounded size, and each answer read.

The SDK's processor makes batches by count: 512 spans of 130 KB are 66 MB, and gRPC servers take 4 MiB. The SDK's own exporters send
such a batch whole, and take any answer of 200 for a delivery.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..guard import logger
from .answers import NO_ANSWER, Answer, Verdict, cure_of
from .batches import batches, count, shrink
from .encoding import encode
from .sending import Tries

FLOOR_BYTES = 16_384  # no receiver is asked to take less


class OtlpSpanExporter(SpanExporter):
    """Sends at most `max_bytes` at once, less when the receiver says that it is too much, and remembers that."""

    def __init__(self, tries: Tries, max_bytes: int, cure: str) -> None:
        """`cure`: what to look at after a failure, whatever the receiver answered."""
        self.delivered = 0  # spans of the last batch
        self.tries = tries
        self._max_bytes = max_bytes
        self._cure = cure
        self._problem: Answer | None = None
        self._has_warned = False
        self._is_away = False  # nobody there: each further part would cost the whole time of its tries

    @property
    def cure(self) -> str:
        """What to look at after a failure."""
        problem = self._problem or Answer(Verdict.AWAY, said=NO_ANSWER)  # the process ends before it comes
        return problem.with_cure(self._cure or cure_of(problem))

    @property
    def is_worth_another_try(self) -> bool:
        """After a failure: nobody answered, or the answer was to come again."""
        problem = self._problem
        return problem is None or problem.status is None or problem.verdict is Verdict.AGAIN

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """FAILURE: all but `delivered` are lost."""
        self.delivered, self._is_away, self._problem = 0, False, None
        self._send_parts(encode(spans))
        return SpanExportResult.SUCCESS if self.delivered == len(spans) else SpanExportResult.FAILURE

    def _send_parts(self, request: ExportTraceServiceRequest) -> None:
        fits = request.ByteSize() <= self._max_bytes
        for part in (request,) if fits else batches(request.resource_spans, self._max_bytes):
            self._send(part)

    def _send(self, part: ExportTraceServiceRequest) -> None:
        spans = count(part)
        if self._is_away or (spans == 1 and not self._fits(part)):
            return
        answer = self.tries.send(part.SerializeToString())
        if answer.verdict is Verdict.TAKEN:
            self.delivered += max(0, spans - answer.rejected)
            if answer.rejected:
                self._problem = answer
            elif answer.said and not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "runspan: the receiver took the spans, and says: %s (This is logged once.)", answer.said
                )
        elif answer.verdict is Verdict.TOO_LARGE:
            self._send_less(part, answer)
        else:
            self._problem = answer
            self._is_away = answer.verdict is not Verdict.REFUSED

    def _fits(self, part: ExportTraceServiceRequest) -> bool:
        size = part.ByteSize()
        return size <= self._max_bytes or shrink(part, self._max_bytes, ExportTraceServiceRequest.ByteSize)

    def _send_less(self, part: ExportTraceServiceRequest, answer: Answer) -> None:
        refused = part.ByteSize()
        if refused <= FLOOR_BYTES:
            self._problem = answer
            return
        smaller = max(refused // 2, FLOOR_BYTES)
        if smaller < self._max_bytes:
            self._max_bytes = smaller
            logger.info(
                "runspan: the receiver refuses %d bytes at once; batches are smaller from now on.", refused
            )
        self._send_parts(part)

    def shutdown(self) -> None:
        self.tries.stop()
        self.tries.sender.close()
