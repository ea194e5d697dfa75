"""OTLP request bodies, protobuf or JSON, to plain values. Pure: bytes in, tuples out, or `BadBodyError`.

Both encodings go one way: JSON is first turned into the protobuf message, so that they can not differ. OTLP's
JSON is protobuf's own JSON mapping except for the ids, which are hex there and base64 in the mapping. Unknown
fields are ignored (both: opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding").
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogRecordProto
from opentelemetry.proto.trace.v1 import trace_pb2

from runspan.viewer.spans import Attributes, Event, Link, LogRecord, Span, Value

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8
# The only places of OTLP where bytes are written as hex. User data can not hold such a key: attributes travel
# as lists of {"key", "value"}.
HEX_FIELDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})

Read = TypeVar("Read")


class BadBodyError(ValueError):
    """The body is not what its content type says; the message tells the sender why."""


def parse(kind: Callable[[], Any], body: bytes, content_type: str, read: Callable[[Any], Read]) -> Read:
    """What `read` makes of the body's message, of this kind; whatever is wrong with either is a `BadBodyError`."""
    try:
        return read(PARSERS[content_type](kind(), body))
    except RecursionError:
        raise BadBodyError(f"can not read the body as {content_type}: nested too deeply") from None
    # Of any type: a lone surrogate in a name is a SystemError in protobuf 7.36, as the fuzzer found.
    except Exception as error:
        raise BadBodyError(f"can not read the body as {content_type}: {error}") from error


def _from_protobuf(message: Any, body: bytes) -> Any:
    message.ParseFromString(body)
    return message


def _from_json(message: Any, body: bytes) -> Any:
    data = json.loads(body)
    if not isinstance(data, dict):
        raise ValueError("the body is not a JSON object")
    json_format.ParseDict(_hex_to_base64(data), message, ignore_unknown_fields=True)
    return message


def _hex_to_base64(data: Any) -> Any:
    if isinstance(data, list):
        return [_hex_to_base64(item) for item in data]
    if isinstance(data, dict):
        return {
            key: _id(key, value) if key in HEX_FIELDS else _hex_to_base64(value)
            for key, value in data.items()
        }
    return data


def _id(key: str, value: Any) -> str | None:
    if value is None:
        return None
    try:
        return base64.b64encode(bytes.fromhex(value)).decode()
    except (TypeError, ValueError):
        raise ValueError(f"{key} is not hex: {str(value)[:64]!r}") from None


PARSERS: Mapping[str, Callable[[Any, bytes], Any]] = {PROTOBUF: _from_protobuf, JSON: _from_json}


def spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """All spans of one export."""
    for resource_spans in request.resource_spans:
        resource = attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            for span in scope_spans.spans:
                yield read_span(span, resource, scope)


def read_span(span: trace_pb2.Span, resource: Attributes, scope: InstrumentationScope) -> Span:
    """One span of the wire; `ValueError` where its ids are none. Links that lead nowhere are left out: SDKs may send some."""
    return Span(
        trace_id=_hex(span.trace_id, TRACE_ID_BYTES, "trace_id"),
        span_id=_hex(span.span_id, SPAN_ID_BYTES, "span_id"),
        parent_id=_optional_hex(span.parent_span_id, SPAN_ID_BYTES, "parent_span_id"),
        name=span.name,
        kind=_enum(trace_pb2.Span.SpanKind, span.kind, "SPAN_KIND_"),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=attributes(span.attributes),
        events=tuple(
            Event(event.name, event.time_unix_nano, attributes(event.attributes)) for event in span.events
        ),
        links=tuple(
            Link(link.trace_id.hex(), link.span_id.hex(), attributes(link.attributes))
            for link in span.links
            if _is_id(link.trace_id, TRACE_ID_BYTES) and _is_id(link.span_id, SPAN_ID_BYTES)
        ),
        status_code=_enum(trace_pb2.Status.StatusCode, span.status.code, "STATUS_CODE_"),
        status_message=span.status.message,
        resource=resource,
        scope=scope.name,
        scope_version=scope.version,
    )


def read_log(record: LogRecordProto, resource: Attributes, scope: str) -> LogRecord:
    """One log record of the wire; `ValueError` where its ids are none."""
    return LogRecord(
        time_ns=record.time_unix_nano or record.observed_time_unix_nano,
        severity=record.severity_text,
        event_name=getattr(record, "event_name", ""),  # absent before opentelemetry-proto 1.5
        body=value(record.body),
        attributes=attributes(record.attributes),
        trace_id=_optional_hex(record.trace_id, TRACE_ID_BYTES, "trace_id"),
        span_id=_optional_hex(record.span_id, SPAN_ID_BYTES, "span_id"),
        resource=resource,
        scope=scope,
    )


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    """OTLP's list of pairs as a dict; of a key given twice the last one stays."""
    return {pair.key: value(pair.value) for pair in pairs}


def value(any_value: AnyValue) -> Value:
    """One OTLP value as plain Python. The depth is bounded by protobuf's own limit of 100."""
    kind = any_value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [value(item) for item in any_value.array_value.values]
    if kind == "kvlist_value":
        return attributes(any_value.kvlist_value.values)
    plain: Value = getattr(any_value, kind)
    return plain


def _is_id(raw: bytes, length: int) -> bool:
    return len(raw) == length and any(raw)


def _hex(raw: bytes, length: int, what: str) -> str:
    if not _is_id(raw, length):
        raise ValueError(f"{what} is not {length} bytes, or all zero: {raw[:32].hex() or 'empty'}")
    return raw.hex()


def _optional_hex(raw: bytes, length: int, what: str) -> str | None:
    # Some senders write "no parent" as zeroes instead of leaving it out.
    return _hex(raw, length, what) if any(raw) else None


def _enum(enum: Any, number: int, prefix: str) -> str:
    try:
        name: str = enum.Name(number)
    except ValueError:  # a value newer than our protocol
        return str(number)
    return name.removeprefix(prefix)
