"""Where an app's own exporter would send over HTTP, for commands that send there themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.util.re import parse_env_headers

from ..config import Config
from ..exporting import otlp


@dataclass(frozen=True, slots=True)
class Target:
    """`url`: whole, with the path. `resource`: attributes that the backend wants."""

    url: str
    headers: Mapping[str, str]
    resource: Mapping[str, str]


def target(config: Config) -> Target:
    """Raises ConfigError where a backend's variables are missing or wrong."""
    to = otlp.destination(config)
    headers = {**_of_variables(config), **to.headers, **(config.headers or {})}
    return Target(_url(to.endpoint), headers, to.resource)


def sends_otlp(config: Config) -> bool:
    """Whether an OTLP exporter is at work: as `providers` chooses, a file alone leaves it out."""
    chosen = [part.strip() for part in os.environ.get("OTEL_TRACES_EXPORTER", "").split(",") if part.strip()]
    is_named = config.endpoint or config.backend or otlp.variable("ENDPOINT")[1]
    return "otlp" in chosen if chosen else bool(is_named or config.file is None)


def protocol(config: Config) -> str:
    """http/protobuf or grpc."""
    return otlp.protocol() if otlp.destination(config).takes_grpc else otlp.HTTP


def _url(endpoint: str | None) -> str:
    """An endpoint for traces alone is taken as it is (opentelemetry.io/docs/specs/otel/protocol/exporter)."""
    if endpoint is None:
        name, value = otlp.variable("ENDPOINT")
        if value and "_TRACES_" in name:
            return value
        return (value or otlp.DEFAULTS[otlp.HTTP]).rstrip("/") + "/v1/traces"
    return endpoint.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"


def _of_variables(config: Config) -> dict[str, str]:
    """Headers of the variables go to the address of the variables, and to no other."""
    if config.endpoint is not None or otlp.destination(config).endpoint is not None:
        return {}
    return dict(parse_env_headers(otlp.variable("HEADERS")[1] or "", liberal=True))
