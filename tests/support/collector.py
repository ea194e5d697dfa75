"""OTLP receivers of other protocols than the viewer's, each on a free port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services


@dataclass
class Grpc:
    """What came over gRPC: names of spans, resource attributes, metadata of the calls."""

    endpoint: str = ""
    names: list[str] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)
    metadata: list[Mapping[str, Any]] = field(default_factory=list)


class _Service(services.TraceServiceServicer):  # type: ignore[misc]  # grpc has no types
    def __init__(self, got: Grpc) -> None:
        self._got = got

    def Export(self, request: Any, context: Any) -> Any:
        self._got.metadata.append(dict(context.invocation_metadata()))
        for of_resource in request.resource_spans:
            self._got.resource |= {a.key: a.value.string_value for a in of_resource.resource.attributes}
            self._got.names += [span.name for scope in of_resource.scope_spans for span in scope.spans]
        return wire.ExportTraceServiceResponse()


@contextmanager
def serve_grpc(max_bytes: int | None = None, port: int = 0) -> Iterator[Grpc]:
    """One message may have `max_bytes`; gRPC's own limit is 4 MiB. Traces alone are taken, as Jaeger does."""
    got = Grpc()
    limits = [] if max_bytes is None else [("grpc.max_receive_message_length", max_bytes)]
    server = grpc.server(futures.ThreadPoolExecutor(2), options=limits)
    services.add_TraceServiceServicer_to_server(_Service(got), server)
    got.endpoint = f"http://127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    try:
        yield got
    finally:
        server.stop(None).wait()
