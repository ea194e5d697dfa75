"""Over which exporter of the SDK spans go to their `address`, and how it is made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter

from .. import presets
from ..config import Config, ConfigError
from .address import DEFAULTS, GRPC, HTTP, address, destination, exporters, protocol, variable

__all__ = ["DEFAULTS", "GRPC", "HTTP", "address", "destination", "exporters", "protocol", "variable"]

# What they are registered as (entry points of the exporter packages).
REGISTERED: Mapping[str, str] = {HTTP: "otlp_proto_http", GRPC: "otlp_proto_grpc"}

CURE = (
    "Is a receiver running there (Jaeger, the Collector)? OTEL_EXPORTER_OTLP_ENDPOINT names another address, "
    "OTEL_TRACES_EXPORTER=none sends nothing."
)

Made = tuple[str, Callable[[], SpanExporter]]  # where to, and how it is made


def exporter(config: Config) -> Made:
    """Over HTTP or gRPC. Raises ConfigError for what is not known or missing."""
    to = address(config)
    make = loaded(REGISTERED[to.protocol])
    options: dict[str, Any] = {"endpoint": to.url}
    if to.own_headers:
        options["headers"] = dict(to.own_headers)
    foreign = _named_headers() - to.own_headers.keys() if to.is_of_preset else frozenset()
    cure = _cure(config.backend) if config.backend is not None and to.is_of_preset else CURE
    return to.shown, lambda: _cut_to_size(make, options, to.protocol, config.max_batch_bytes, foreign, cure)


def page(config: Config, has_app_provider: bool) -> str | None:
    """Where the backend shows a trace, with {trace_id} in it; None: it has no name, or its page is not known."""
    name = config.backend
    if name is None:
        return None
    if has_app_provider:  # where that sends to is its own business
        return presets.page(name, os.environ, "")
    if presets.PRESETS[name].hosts:
        return presets.page(name, os.environ, config.endpoint)
    return presets.page(name, os.environ, config.endpoint or variable("ENDPOINT")[1] or DEFAULTS[HTTP])


def loaded(name: str, signal: str = "TRACES") -> Callable[..., Any]:
    group = f"opentelemetry_{signal.lower()}_exporter"
    for entry in entry_points(group=group, name=name):
        factory: Callable[..., Any] = entry.load()
        return factory
    known = sorted(e.name for e in entry_points(group=group))
    raise ConfigError(
        f"No exporter {name!r} is installed. OTEL_{signal}_EXPORTER can be otlp, console, none or one of {known}."
    )


def file_exporter(path: str) -> Made:
    def make() -> SpanExporter:
        from .file import FileExporter

        return FileExporter(path)

    return f"the file {path}", make


# ---------------------------------------------------------------- pieces


def _cure(backend: str) -> str:
    preset = presets.PRESETS[backend]
    return f"Is {preset.title} there, and are these right: {', '.join(preset.variables)}?"


def _named_headers() -> frozenset[str]:
    """Those in the variables: meant for the address in the variables."""
    pairs = (variable("HEADERS")[1] or "").split(",")
    return frozenset(name.strip().lower() for pair in pairs if (name := pair.partition("=")[0]).strip())


def _cut_to_size(
    make: Callable[..., SpanExporter],
    options: Mapping[str, Any],
    over: str,
    max_bytes: int,
    foreign: frozenset[str],
    cure: str,
) -> SpanExporter:
    from . import answers as receiver
    from . import encoding
    from .sized import Sized

    answers = receiver.Answers()
    given = dict(options)
    if over == GRPC and foreign:  # without any of ours the SDK would take those of the variables
        given.setdefault("headers", {"x-runspan": "export"})
    if over == HTTP and not has_credential_provider():
        given["session"] = receiver.http_session(answers, foreign)
    made = make(**given)
    if over == GRPC:
        receiver.listen_to_grpc(made, answers)
    encoding.quicken(made)
    return Sized(made, max_bytes, answers, cure)


def has_credential_provider() -> bool:
    """Then the SDK has a session of its own, which is not ours to replace."""
    return any(n.startswith("OTEL_PYTHON_EXPORTER_OTLP_") and "CREDENTIAL" in n for n in os.environ)
