"""The exporters that `opentelemetry-instrument` made, when the app that it started ends and nobody listens."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ..guard import guarded, logger
from . import careful

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
        refused: dict[str, bool] = {}
        for exporter, where in list(_exporters()):
            if where not in refused:
                refused[where] = careful.refuses(where)
            if refused[where]:
                _silence(exporter)
                exporter.shutdown()
        for where in (where for where, is_so in refused.items() if is_so):
            logger.warning("runspan: nobody listens at %s: what was not sent yet is lost. %s", where, CURE)


def _exporters() -> Iterator[tuple[Any, str]]:
    """Each with its `host:port`. Looked up among all objects: providers don't show theirs, and one may have several."""
    modules = ((sys.modules.get(f"{PACKAGE}.{module}"), name) for module, name in KINDS.items())
    kinds = {id(getattr(module, name, None)) for module, name in modules if module is not None}
    for one in gc.get_objects() if kinds else ():
        if id(type(one)) in kinds:  # asks nothing of the object, whose class may be anybody's
            where = _host_port(getattr(one, "_endpoint", None))
            if where is not None:
                yield one, where


def _host_port(endpoint: object) -> str | None:
    """Over HTTP a URL, over gRPC what a URL has between its slashes."""
    if not isinstance(endpoint, str):
        return None
    parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 443)
    except ValueError:
        return None
    return f"{parts.hostname}:{port}" if parts.hostname else None


def _silence(exporter: Any) -> None:
    """Its complaints that it was shut down already."""
    own = type(exporter).__module__
    for name in (own, f"{PACKAGE}.grpc.exporter"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Exporter already shutdown")
