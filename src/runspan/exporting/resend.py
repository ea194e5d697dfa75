"""Spans that were written down, sent on as OTLP/HTTP protobuf: batches of bounded size, tries, and what became of each span."""

from __future__ import annotations

import contextlib
import gzip
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from .answers import TOO_LARGE, Answers, http_session

AGAIN = frozenset({429, 502, 503, 504})  # opentelemetry.io/docs/specs/otlp, "Retryable Response Codes"
HOPELESS = frozenset({401, 403, 404, 405})  # the next batch would fare no better
TRIES = 5
LONGEST_PAUSE_S = 30.0
MAX_SAID = 300  # characters kept of a refusal
FRAME_BYTES = 16  # around one span in its batch


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
    """To one address (`url`: with the path). `pause` waits so many seconds."""

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
        self._session = http_session(Answers(), ())
        self._session.headers.update(
            {**headers, "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        )

    def close(self) -> None:
        self._session.close()

    def send(self, batch: ExportTraceServiceRequest) -> None:
        """Counts it in `sent`; raises nothing."""
        spans = count(batch)
        if self.sent.is_over:
            self.sent.failed += spans
            return
        answer = self._tried(gzip.compress(batch.SerializeToString(), 6))
        if answer is None:
            self.sent.failed += spans
            self.sent.is_over = True
        elif answer.status_code == TOO_LARGE and spans > 1:
            for half in batches(batch.resource_spans, batch.ByteSize() // 2):
                self.send(half)
        elif 200 <= answer.status_code < 300:
            rejected = min(self._rejected(answer), spans)
            self.sent.rejected += rejected
            self.sent.delivered += spans - rejected
        else:
            self.sent.failed += spans
            self.sent.is_over = answer.status_code in HOPELESS
            self._note(f"{answer.status_code} {answer.reason}: {answer.text[:MAX_SAID]}".rstrip(": \n"))

    def _tried(self, body: bytes) -> Any:
        """The last answer; None: there was none."""
        for attempt in range(1, TRIES + 1):
            self.sent.requests += 1
            try:
                answer = self._session.post(
                    self.url, data=body, timeout=self._timeout_s, allow_redirects=False
                )
            except requests.RequestException as error:
                self._note(_reason(error))
                return None
            if answer.status_code not in AGAIN or attempt == TRIES:
                return answer
            self._pause(min(_asked(answer) or 0.5 * 2**attempt, LONGEST_PAUSE_S))
        raise AssertionError("the last attempt returns")

    def _rejected(self, answer: Any) -> int:
        """`partial_success`: what was not taken of a request that succeeded."""
        if "protobuf" not in answer.headers.get("Content-Type", ""):
            return 0
        response = ExportTraceServiceResponse()
        with contextlib.suppress(Exception):  # a receiver's broken answer says nothing
            response.ParseFromString(answer.content)
        if response.partial_success.error_message:
            self._note(response.partial_success.error_message[:MAX_SAID])
        return int(response.partial_success.rejected_spans)

    def _note(self, problem: str) -> None:
        self.sent.problems.setdefault(problem)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return "nobody listens there" if "refused" in str(error).lower() else f"{type(error).__name__}"


def _asked(answer: Any) -> float | None:
    with contextlib.suppress(ValueError):
        return max(0.0, float(answer.headers.get("Retry-After", "")))
    return None


# ---------------------------------------------------------------- batches


def count(batch: ExportTraceServiceRequest) -> int:
    """Spans in it."""
    return sum(len(scope.spans) for of in batch.resource_spans for scope in of.scope_spans)


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


def batches(parts: Iterable[ResourceSpans], max_bytes: int) -> Iterator[ExportTraceServiceRequest]:
    """Requests of at most `max_bytes`, or of one span that is larger. Order, resources and scopes stay."""
    batch, size = ExportTraceServiceRequest(), 0
    for part in parts:
        for scope in part.scope_spans:
            head = ResourceSpans(
                resource=part.resource,
                schema_url=part.schema_url,
                scope_spans=[ScopeSpans(scope=scope.scope, schema_url=scope.schema_url)],
            )
            into = None
            for span in scope.spans:
                more = (
                    span.ByteSize() + FRAME_BYTES + (0 if into is not None else head.ByteSize() + FRAME_BYTES)
                )
                if size and size + more > max_bytes:
                    yield batch
                    batch, size, into = ExportTraceServiceRequest(), 0, None
                    more = span.ByteSize() + head.ByteSize() + 2 * FRAME_BYTES
                if into is None:
                    batch.resource_spans.append(head)
                    into = batch.resource_spans[-1].scope_spans[0].spans
                into.append(span)
                size += more
    if size:
        yield batch
