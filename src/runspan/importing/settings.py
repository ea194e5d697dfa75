"""What an import goes by: options and variables as an app has them, a provider for spans of the past, and where they go."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from ..config import Config, ConfigError, resolve
from ..exporting import otlp, own, variables
from ..exporting.address import destination
from .delivery import ArchiveFile

SERVICE = "imported"
MAX_LIVE_RUNS = 1_000  # of recorded traffic, that are open at once
_OF_SDK = "telemetry.sdk."


def config_of(options: Mapping[str, Any]) -> Config:
    """Raises ConfigError. There is nothing to fetch, and no log records of the past to put content on."""
    given = {name: value for name, value in options.items() if value is not None}
    config = resolve({**given, "enabled": True}, os.environ)  # where it is off, no other variable would count
    if not config.enabled:
        raise ConfigError("OTEL_SDK_DISABLED=true: no span is made. Unset it for the import.")
    limits = replace(config.limits, max_live_runs=MAX_LIVE_RUNS)
    return replace(config, limits=limits, background_fetch=False, content_events=False)


def exporter_of(config: Config, file: str | None) -> SpanExporter:
    """Raises ConfigError."""
    return ArchiveFile(file) if file is not None else otlp.exporter(config)[1]()


def provider_of(config: Config, ids: IdGenerator) -> TracerProvider:
    """Records everything: whoever imports a run wants it."""
    return TracerProvider(
        sampler=ALWAYS_ON,
        resource=resource_of(config),
        span_limits=own.limits(),
        id_generator=ids,
        shutdown_on_exit=False,
    )


def resource_of(config: Config) -> Resource:
    """What is named, and nothing of this process: its instance and number would make each import another one."""
    named = {
        **variables.read("OTEL_RESOURCE_ATTRIBUTES", variables.attributes, variables.NOTHING),
        **destination(config).resource,
        **own.service(config),
    }
    name = os.environ.get("OTEL_SERVICE_NAME", "").strip() or SERVICE
    found = own.resource({SERVICE_NAME: name, **named})
    kept = {
        key: value
        for key, value in sorted(found.attributes.items())
        if key in named or key.startswith(_OF_SDK) or key == SERVICE_NAME
    }
    return Resource(kept, found.schema_url)
