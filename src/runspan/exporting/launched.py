"""The exporters that `opentelemetry-instrument` made, when the app that it started ends and nothing listens."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from typing import Any

from .. import _compat
from ..guard import guarded, logger
from . import loss_reporting
from .sending import door_of_target, door_of_url

PACKAGE = "opentelemetry.exporter.otlp.proto"
KINDS = {  # module below the package -> class
    f"{over}.{module}": name
    for over in ("grpc", "http")
    for module, name in (
        ("trace_exporter", "OTLPSpanExporter"),
        ("metric_exporter", "OTLPMetricExporter"),
        ("_log_exporter", "OTLPLogExporter"),
    )
}
CURE = (
    "Start `runspan ui` (or a Collector, Jaeger ...), or name another address in OTEL_EXPORTER_OTLP_ENDPOINT; "
    "OTEL_TRACES_EXPORTER=none sends nothing."
)


def end_refused() -> None:
    """Shut down each OTLP exporter whose address refuses connections; others deliver as they would.

    Without this the SDK tries such an address for 10 s for each of traces, metrics and logs, and the app ends that much later.
    """
    with guarded("end the exporters that nobody hears"):
        refused: dict[tuple[str, int], bool] = {}
        for exporter, door in list(_exporters()):
            if door not in refused:
                refused[door] = loss_reporting.refuses(door)
            if refused[door]:
                _silence(exporter)
                exporter.shutdown()
        for host, port in (door for door, is_so in refused.items() if is_so):
            logger.warning("runspan: nothing listens at %s:%d; unsent spans are lost. %s", host, port, CURE)


def _exporters() -> Iterator[tuple[Any, tuple[str, int]]]:
    """Each with the host and port that it connects to. Looked up among all objects: providers don't show theirs."""
    modules = ((sys.modules.get(f"{PACKAGE}.{module}"), name) for module, name in KINDS.items())
    kinds = {id(getattr(module, name, None)) for module, name in modules if module is not None}
    for one in gc.get_objects() if kinds else ():
        if id(type(one)) in kinds:  # asks nothing of the object, whose class may be anybody's
            endpoint = _compat.endpoint_of(one)
            if isinstance(endpoint, str):  # over HTTP a URL, over gRPC what a URL has between its slashes
                door = door_of_url(endpoint) if "://" in endpoint else door_of_target(endpoint)
                if door is not None:
                    yield one, door


def _silence(exporter: Any) -> None:
    """Its complaints that it was shut down already."""
    for name in (type(exporter).__module__, f"{PACKAGE}.grpc.exporter"):
        logging.getLogger(name).addFilter(lambda record: "Exporter already shutdown" not in str(record.msg))
