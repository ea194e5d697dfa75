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
from .sending import GrpcSender, HttpSender, SendOptions, Tries

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
    options = SendOptions(
        headers,
        variables.read_otlp("COMPRESSION", signal, variables.one_of("none", "gzip", "deflate"), "none"),
        **variables.trust(signal),
        plug_in=_credential_provider("HTTP" if over == HTTP else "GRPC", signal),
    )
    seconds = variables.number("seconds", high=1e6, example="10")
    timeout_s = variables.read_otlp("TIMEOUT", signal, seconds, 10.0)
    if over == HTTP:
        return lambda: Tries(HttpSender(url, kind, options), timeout_s)
    is_insecure = variables.read_otlp("INSECURE", signal, variables.flag, url.startswith("http://"))
    is_insecure = is_insecure and not url.startswith("https://")
    return lambda: Tries(GrpcSender(url, method, kind, options, is_insecure=is_insecure), timeout_s)


def _credential_provider(over: str, signal: str) -> Callable[[], Any] | None:
    """The factory of a plug-in that brings a session (HTTP) or channel credentials (gRPC)."""
    for name in (
        f"OTEL_PYTHON_EXPORTER_OTLP_{over}_CREDENTIAL_PROVIDER",
        f"OTEL_PYTHON_EXPORTER_OTLP_{over}_{signal}_CREDENTIAL_PROVIDER",
    ):
        if plug_in := os.environ.get(name, "").strip():
            where = f"{name}={plug_in!r}"
            factory: Callable[[], Any] | None = variables.plug_in(
                "opentelemetry_otlp_credential_provider", plug_in, where
            )
            if factory is None:
                cure = "install the package that has a credential provider of that name."
                raise ConfigError(f"{where}: {cure}")
            return factory
    return None


def page(config: Config, has_app_provider: bool) -> str | None:
    """Where the backend shows a trace, with {trace_id} in it; None: it has no name, or its page is not known."""
    name, endpoint = config.backend, config.endpoint
    if name is None:
        return None
    if has_app_provider:  # where that sends to is its own business
        endpoint = ""
    elif not presets.PRESETS[name].hosts:
        endpoint = endpoint or variables.of_otlp("ENDPOINT")[1] or DEFAULTS[HTTP]
    return presets.page(name, os.environ, endpoint)


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
