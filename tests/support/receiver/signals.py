"""OTLP request bodies as the items that they bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from runspan.viewer.decode import attributes, parse, read_log, spans_of
from runspan.viewer.spans import LogRecord, Span
from tests.support.receiver.metrics import Metric, metrics_of

Item = Span | Metric | LogRecord


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of telemetry: the message it arrives in and the reader of that message."""

    message: Callable[[], Any]
    read: Callable[[Any], Iterator[Item]]


def decode(signal: Signal, body: bytes, content_type: str) -> tuple[Item, ...]:
    """All items of one body, or `BadBodyError` and none of them. `content_type` is `PROTOBUF` or `JSON`."""
    return parse(signal.message, body, content_type, lambda message: tuple(signal.read(message)))


def logs_of(request: ExportLogsServiceRequest) -> Iterator[LogRecord]:
    for resource_logs in request.resource_logs:
        resource = attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                yield read_log(record, resource, scope_logs.scope.name)


TRACES = Signal(ExportTraceServiceRequest, spans_of)
METRICS = Signal(ExportMetricsServiceRequest, metrics_of)
LOGS = Signal(ExportLogsServiceRequest, logs_of)
