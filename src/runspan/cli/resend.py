"""Spans that were written down, sent on as OTLP/HTTP protobuf: batches of bounded size, tries, and what became of each span."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import responses

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from ..exporting.answers import Answer, Verdict
from ..exporting.batches import batches, count
from ..exporting.sending import HttpSender, SendOptions
from ..exporting.variables import trust

HOPELESS = frozenset({401, 403, 404, 405})  # the next batch would fare no better
TRIES = 5
LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class Sent:
    """Spans by what became of them. `problems`: what the receiver said, each once."""

    delivered: int = 0
    rejected: int = 0  # by a receiver that took the others
    failed: int = 0
    requests: int = 0
    problems: dict[str, None] = field(default_factory=dict)
    is_over: bool = False  # nothing more can be delivered


class Sender:
    """To one address (`url`: with the path). `pause` waits so many seconds. Raises ConfigError for wrong certificates."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout_s: float = 10.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self.sent = Sent()
        self._timeout_s = timeout_s
        self._pause = pause
        self._sender = HttpSender(url, ExportTraceServiceResponse, SendOptions(headers, "gzip", **trust()))

    def close(self) -> None:
        self._sender.close()

    def send(self, batch: ExportTraceServiceRequest) -> None:
        """Counts it in `sent`; raises nothing."""
        spans = count(batch)
        if self.sent.is_over:
            self.sent.failed += spans
            return
        answer = self._tried(batch.SerializeToString())
        if answer.said or answer.verdict is not Verdict.TAKEN:
            self._note(answer)
        if answer.verdict is Verdict.TAKEN:
            rejected = min(answer.rejected, spans)
            self.sent.rejected += rejected
            self.sent.delivered += spans - rejected
        elif answer.verdict is Verdict.TOO_LARGE and spans > 1:
            for half in batches(batch.resource_spans, batch.ByteSize() // 2):
                self.send(half)
        else:
            self.sent.failed += spans
            self.sent.is_over = answer.status is None or answer.status in HOPELESS

    def _tried(self, body: bytes) -> Answer:
        """The last answer."""
        for attempt in range(1, TRIES + 1):
            self.sent.requests += 1
            answer = self._sender.post(body, self._timeout_s)
            if answer.verdict is not Verdict.AGAIN or answer.status is None or attempt == TRIES:
                return answer
            self._pause(min(answer.pause_s or 0.5 * 2**attempt, LONGEST_PAUSE_S))
        raise AssertionError("the last attempt returns")

    def _note(self, answer: Answer) -> None:
        status = answer.status
        named = f"{status} {responses.get(status, '')}" if isinstance(status, int) and status >= 300 else ""
        self.sent.problems.setdefault(": ".join(filter(None, (named, answer.said))))


def with_resource(parts: Iterable[ResourceSpans], attributes: Mapping[str, str]) -> Iterator[ResourceSpans]:
    """With these attributes where the resource has none of that name (a backend's project, say)."""
    for part in parts:
        known = {pair.key for pair in part.resource.attributes}
        part.resource.attributes.extend(
            KeyValue(key=key, value=AnyValue(string_value=value))
            for key, value in attributes.items()
            if key not in known
        )
        yield part
