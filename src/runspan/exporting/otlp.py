"""How spans and metrics are sent to their address, and the exporters of other packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExporter

from .. import presets
from ..config import Config, ConfigError
from . import variables
from .address import DEFAULTS, HTTP, Address, address
from .sending import GrpcSender, HttpSender, Sender, Tries, credential_provider

Made = tuple[str, Callable[[], SpanExporter]]  # where to, and how it is made

# By signal: method over gRPC, class of the answers.
_SIGNALS: Mapping[str, tuple[str, Any]] = {
    "TRACES": ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", ExportTraceServiceResponse),
    "METRICS": (
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        ExportMetricsServiceResponse,
    ),
}


def exporter(config: Config) -> Made:
    """Of spans. Raises ConfigError for what is not known or missing."""
    to = address(config)
    cure = _cure(config.backend, to)
    tries = way("TRACES", to.protocol, to.url, to.headers)

    def make() -> SpanExporter:
        from .spans import OtlpSpanExporter

        return OtlpSpanExporter(tries(), config.limits.max_batch_bytes, cure)

    return to.shown, make


def way(signal: str, over: str, url: str, headers: Mapping[str, str]) -> Callable[[], Tries]:
    """What sends to `url`; over HTTP that is with the path. Raises ConfigError."""
    method, kind = _SIGNALS[signal]
    compressions = variables.one_of("none", "gzip", "deflate")
    common: dict[str, Any] = {
        "headers": headers,
        "compression": variables.read_otlp("COMPRESSION", signal, compressions, "none"),
        **variables.trust(signal),
    }
    seconds = variables.number("seconds", high=1e6, example="10")
    timeout_s = variables.read_otlp("TIMEOUT", signal, seconds, 10.0)
    plug_in = credential_provider("HTTP" if over == HTTP else "GRPC", signal)
    make: Callable[[], Sender]
    if over == HTTP:
        if plug_in is not None:
            common["make_session"] = plug_in
        make = lambda: HttpSender(url, kind, **common)  # noqa: E731
    else:
        is_insecure = variables.read_otlp("INSECURE", signal, variables.flag, url.startswith("http://"))
        common["is_insecure"] = is_insecure and not url.startswith("https://")
        common["make_credentials"] = plug_in
        make = lambda: GrpcSender(url, method, kind, **common)  # noqa: E731
    return lambda: Tries(make(), timeout_s)


def page(config: Config, has_app_provider: bool) -> str | None:
    """Where the backend shows a trace, with {trace_id} in it; None: it has no name, or its page is not known."""
    name = config.backend
    if name is None:
        return None
    if has_app_provider:  # where that sends to is its own business
        return presets.page(name, os.environ, "")
    if presets.PRESETS[name].hosts:
        return presets.page(name, os.environ, config.endpoint)
    return presets.page(
        name, os.environ, config.endpoint or variables.of_otlp("ENDPOINT")[1] or DEFAULTS[HTTP]
    )


def loaded(name: str, signal: str = "TRACES") -> Callable[..., Any]:
    """The exporter that another package registers under this name."""
    group = f"opentelemetry_{signal.lower()}_exporter"
    factory: Callable[..., Any] | None = variables.plug_in(group, name, f"OTEL_{signal}_EXPORTER={name}")
    if factory is not None:
        return factory
    known = sorted(e.name for e in entry_points(group=group))
    raise ConfigError(
        f"No exporter {name!r} is installed. OTEL_{signal}_EXPORTER can be otlp, console, none or one of {known}."
    )


def made(name: str, make: Callable[[], Any], signal: str = "TRACES") -> Any:
    """What `make` gives. Raises ConfigError where another package's exporter does not come into being."""
    try:
        return make()
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"OTEL_{signal}_EXPORTER: the exporter {name} can't be made ({type(error).__name__}: {error}). "
            "Mend its settings, or leave it out."
        ) from None


def _cure(backend: str | None, to: Address) -> str:
    """What to look at if the address takes nothing; empty: that is for its answer to say."""
    if backend is not None and to.is_of_preset:
        preset = presets.PRESETS[backend]
        return f"Is {preset.title} there, and are these right: {', '.join(preset.variables)}?"
    if to.protocol_of_port != to.protocol:
        return (
            f"This is the usual port for {to.protocol_of_port}, but runspan sends {to.protocol}: "
            f"set OTEL_EXPORTER_OTLP_PROTOCOL={to.protocol_of_port}, or send to {DEFAULTS[to.protocol]}."
        )
    if to.has_path_twice:
        return "OTEL_EXPORTER_OTLP_ENDPOINT must not end in /v1/traces: runspan adds that path."
    return ""
