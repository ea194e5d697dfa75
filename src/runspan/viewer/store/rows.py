"""One request's spans as rows: plain columns, the words to find them by, and the span itself, packed.

A span is kept as the OTLP message it came in, so nothing of it is lost and it can be sent on.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from runspan.viewer import conversation
from runspan.viewer.decode import attributes, parse, read_log, read_span
from runspan.viewer.dialects import normal
from runspan.viewer.kinds import is_error, word
from runspan.viewer.spans import LogRecord, Span
from runspan.viewer.store.facts import Facts, facts, sort_of
from runspan.viewer.store.search import searchable

MAX_TIME_NS = 2**63 - 1  # SQLite's largest; OTLP's own goes twice as far, to the year 2554
MAX_NAME = 500

PACKED_FROM = 1_024  # bytes; packing less costs more time than it saves room
PLAIN, PACKED = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Row:
    """One span. Ids are bytes, times are within SQLite's integers."""

    trace: bytes
    span: bytes
    parent: bytes | None
    start_ns: int
    end_ns: int
    kind: str
    name: str
    is_error: bool
    service: str
    source: bytes  # the digest of its resource and scope
    facts: Facts | None
    words: str
    body: bytes


@dataclass(frozen=True, slots=True)
class LogRow:
    """One log record that belongs to a trace."""

    trace: bytes
    span: bytes | None
    time_ns: int
    source: bytes
    body: bytes


@dataclass(slots=True)
class Batch:
    """What one request brings; taken whole or not at all."""

    rows: list[Row] = field(default_factory=list)
    logs: list[LogRow] = field(default_factory=list)
    sources: dict[bytes, bytes] = field(default_factory=dict)  # digest -> resource and scope
    size: int = 0  # bytes of the request, for the bounds of what may wait


def traces(body: bytes, content_type: str) -> Batch:
    """The rows of one trace export. Raises `decode.BadBodyError`."""
    return parse(ExportTraceServiceRequest, body, content_type, _traces)


def logs(body: bytes, content_type: str) -> Batch:
    """The log records of one export that stand in a trace; others have no place in a trace viewer."""
    return parse(ExportLogsServiceRequest, body, content_type, _logs)


def _traces(request: Any) -> Batch:
    batch = Batch(size=request.ByteSize())
    for resource_spans in request.resource_spans:
        resource = attributes(resource_spans.resource.attributes)
        service = resource.get("service.name")
        for scope_spans in resource_spans.scope_spans:
            source = _source(batch, resource_spans.resource, scope_spans.scope)
            for proto in scope_spans.spans:
                span = read_span(proto, resource, scope_spans.scope)
                batch.rows.append(row(span, source, str(service or "")[:MAX_NAME], proto.SerializeToString()))
    return batch


def row(span: Span, source: bytes, service: str, body: bytes) -> Row:
    """One span's row."""
    start_ns = min(span.start_ns, MAX_TIME_NS)
    span = normal(span)
    kind = word(span)[0]
    told, words = read(span)
    return Row(
        bytes.fromhex(span.trace_id),
        bytes.fromhex(span.span_id),
        bytes.fromhex(span.parent_id) if span.parent_id else None,
        start_ns,
        max(start_ns, min(span.end_ns, MAX_TIME_NS)),
        kind,
        span.name[:MAX_NAME],
        is_error(span),
        service,
        source,
        told,
        words,
        pack(body),
    )


def read(span: Span) -> tuple[Facts | None, str]:
    """What the span tells in numbers, and its words."""
    sort = sort_of(span)
    if sort is None:
        return None, searchable(span, (), ())
    inputs, outputs = conversation.given(span.attributes), conversation.answered(span.attributes)
    return facts(span, sort, inputs, outputs), searchable(span, inputs, outputs)


def _logs(request: Any) -> Batch:
    batch = Batch(size=request.ByteSize())
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            source = _source(batch, resource_logs.resource, scope_logs.scope)
            for proto in scope_logs.log_records:
                record = read_log(proto, {}, "")
                if record.trace_id is not None:
                    batch.logs.append(
                        LogRow(
                            bytes.fromhex(record.trace_id),
                            bytes.fromhex(record.span_id) if record.span_id else None,
                            min(record.time_ns, MAX_TIME_NS),
                            source,
                            pack(proto.SerializeToString()),
                        )
                    )
    return batch


def _source(batch: Batch, resource: Resource, scope: InstrumentationScope) -> bytes:
    whole = trace_pb2.ResourceSpans(resource=resource, scope_spans=[trace_pb2.ScopeSpans(scope=scope)])
    body = whole.SerializeToString(deterministic=True)
    digest = blake2b(body, digest_size=16).digest()
    batch.sources[digest] = body
    return digest


def pack(body: bytes) -> bytes:
    """A message as it is kept: a byte that says how, then the message."""
    return PLAIN + body if len(body) < PACKED_FROM else PACKED + zlib.compress(body, 1)


def unpack(packed: bytes) -> bytes:
    """The message as it came."""
    return zlib.decompress(packed[1:]) if packed[:1] == PACKED else packed[1:]


def spans(kept: Iterator[tuple[bytes, bytes]]) -> Iterator[Span]:
    """Spans from (source, packed span), with their resources."""
    sources: dict[bytes, tuple[dict[str, Any], InstrumentationScope]] = {}
    for source, packed in kept:
        if source not in sources:
            whole = trace_pb2.ResourceSpans.FromString(source)
            sources[source] = attributes(whole.resource.attributes), whole.scope_spans[0].scope
        yield read_span(trace_pb2.Span.FromString(unpack(packed)), *sources[source])


def log_records(kept: Iterator[bytes]) -> Iterator[LogRecord]:
    """Log records from their packed bodies."""
    for packed in kept:
        yield read_log(logs_pb2.LogRecord.FromString(unpack(packed)), {}, "")
