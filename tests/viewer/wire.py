"""Hand-made spans as the bytes that a sender would send, and small HTTP calls to a viewer."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from runspan.viewer.spans import Span

PROTOBUF = "application/x-protobuf"
KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


def export(*spans: Span) -> bytes:
    """One export of them all."""
    request = ExportTraceServiceRequest()
    for span in spans:
        of_resource = request.resource_spans.add()
        _put(of_resource.resource.attributes, span.resource)
        scope = of_resource.scope_spans.add()
        scope.scope.name = span.scope
        one = scope.spans.add(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=bytes.fromhex(span.span_id),
            parent_span_id=bytes.fromhex(span.parent_id or ""),
            name=span.name,
            kind=KINDS.index(span.kind),
            start_time_unix_nano=span.start_ns,
            end_time_unix_nano=span.end_ns,
        )
        _put(one.attributes, span.attributes)
        for event in span.events:
            of = one.events.add(name=event.name, time_unix_nano=event.time_ns)
            _put(of.attributes, event.attributes)
        for link in span.links:
            one.links.add(trace_id=bytes.fromhex(link.trace_id), span_id=bytes.fromhex(link.span_id))
        one.status.code = ("UNSET", "OK", "ERROR").index(span.status_code)
        one.status.message = span.status_message
    return request.SerializeToString()


def _put(into: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        into.add(key=key).value.CopyFrom(_value(value))


def _value(value: Any) -> AnyValue:
    made = AnyValue()
    if isinstance(value, str):
        made.string_value = value
    elif isinstance(value, bool):
        made.bool_value = value
    elif isinstance(value, int):
        made.int_value = value
    elif isinstance(value, float):
        made.double_value = value
    elif isinstance(value, bytes):
        made.bytes_value = value
    elif isinstance(value, dict):
        made.kvlist_value.SetInParent()
        _put(made.kvlist_value.values, value)
    elif isinstance(value, list | tuple):
        made.array_value.values.extend(map(_value, value))
    return made


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def call(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())
    finally:
        connection.close()


def post(
    port: int, body: bytes, path: str = "/v1/traces", content_type: str = PROTOBUF, **headers: str
) -> Answer:
    """An export; further headers by name, with underscores."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return call(port, "POST", path, body, {"Content-Type": content_type, **more})
