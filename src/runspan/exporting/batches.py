"""Encoded spans in requests of bounded size, and one span with shorter texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from ..core.jsontext import fit_text

FRAME_BYTES = 16  # around one span in its batch
CUT_TO = "runspan.cut_to_chars"  # on a span that was too large whole
SMALLEST = 32  # characters; a span that is too large even then is lost

Size = Callable[[ExportTraceServiceRequest], int]


def count(batch: ExportTraceServiceRequest) -> int:
    """Spans in it."""
    return sum(len(scope.spans) for of in batch.resource_spans for scope in of.scope_spans)


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


def shrink(batch: ExportTraceServiceRequest, max_bytes: int, size: Size) -> bool:
    """Cut the texts of its one span, JSON inside so that it stays valid, until it fits. False: it never does."""
    (span,) = batch.resource_spans[0].scope_spans[0].spans
    max_chars = max(map(len, _texts(span)), default=0)
    note = span.attributes.add(key=CUT_TO)
    while max_chars > SMALLEST:
        max_chars //= 2
        note.value.int_value = max_chars
        _cut(span, max_chars)
        if size(batch) <= max_bytes:
            return True
    return False


# ---------------------------------------------------------------- texts of a span


def _pairs(span: Span) -> Iterator[KeyValue]:
    yield from span.attributes
    for event in span.events:
        yield from event.attributes


def _strings(pairs: Iterable[KeyValue]) -> Iterator[Any]:
    """Values that are texts, also those in lists."""
    for pair in pairs:
        for value in (pair.value, *pair.value.array_value.values):
            if value.HasField("string_value"):
                yield value


def _texts(span: Span) -> Iterator[str]:
    yield from (value.string_value for value in _strings(_pairs(span)))
    yield span.status.message


def _cut(span: Span, max_chars: int) -> None:
    for value in _strings(_pairs(span)):
        value.string_value = fit_text(value.string_value, max_chars)
    if span.status.message:
        span.status.message = fit_text(span.status.message, max_chars)
