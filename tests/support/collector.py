"""OTLP receivers of other protocols than the viewer's, each on a free port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_wire
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_services
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services


@dataclass
class Grpc:
    """What came over gRPC: names of spans, resource attributes, metadata of the calls."""

    endpoint: str = ""
    names: list[str] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)
    metadata: list[Mapping[str, Any]] = field(default_factory=list)
    rejects: int = 0  # spans or data points of each request, which it says
    abort: tuple[grpc.StatusCode, str] | None = None  # instead of an answer


class _Service(services.TraceServiceServicer):  # type: ignore[misc]  # grpc has no types
    def __init__(self, got: Grpc) -> None:
        self._got = got

    def Export(self, request: Any, context: Any) -> Any:
        self._got.metadata.append(dict(context.invocation_metadata()))
        for of_resource in request.resource_spans:
            self._got.resource |= {a.key: a.value.string_value for a in of_resource.resource.attributes}
            self._got.names += [span.name for scope in of_resource.scope_spans for span in scope.spans]
        answer = wire.ExportTraceServiceResponse()
        if self._got.rejects:
            answer.partial_success.rejected_spans = self._got.rejects
            answer.partial_success.error_message = "quota is used up"
        if self._got.abort is not None:
            context.abort(*self._got.abort)
        return answer


class _Metrics(metrics_services.MetricsServiceServicer):  # type: ignore[misc]
    def __init__(self, got: Grpc) -> None:
        self._got = got

    def Export(self, request: Any, context: Any) -> Any:
        self._got.names += [
            metric.name
            for of_resource in request.resource_metrics
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
        ]
        answer = metrics_wire.ExportMetricsServiceResponse()
        if self._got.rejects:
            answer.partial_success.rejected_data_points = self._got.rejects
        return answer


@contextmanager
def serve_grpc(max_bytes: int | None = None, port: int = 0, *, takes_metrics: bool = True) -> Iterator[Grpc]:
    """One message may have `max_bytes`; gRPC's own limit is 4 MiB. Traces alone are taken, as Jaeger does."""
    got = Grpc()
    limits = [] if max_bytes is None else [("grpc.max_receive_message_length", max_bytes)]
    server = grpc.server(futures.ThreadPoolExecutor(2), options=limits)
    services.add_TraceServiceServicer_to_server(_Service(got), server)
    if takes_metrics:
        metrics_services.add_MetricsServiceServicer_to_server(_Metrics(got), server)
    got.endpoint = f"http://127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    try:
        yield got
    finally:
        server.stop(None).wait()
