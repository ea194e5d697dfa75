"""What a backend's own variables say: where its OTLP door is, with which keys, and where it shows a trace. Pure: a mapping in.

One table. A preset fills these and nothing more; options of `instrument()` beat it, and it beats `OTEL_EXPORTER_OTLP_*`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from .config import ConfigError

Environ = Mapping[str, str]
Pairs = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where spans go. `endpoint` None: the `OTEL_*` variables or the default say."""

    endpoint: str | None = None  # base URL, without /v1/traces
    headers: Pairs = field(default_factory=dict, repr=False)  # keys: never in a message
    resource: Pairs = field(default_factory=dict)  # attributes
    takes_grpc: bool = True


@dataclass(frozen=True, slots=True)
class Preset:
    """One backend. A header is a function of the environment; `needs` says of each variable that must be there what it is."""

    title: str
    hosts: tuple[str, ...] = ()  # variables that may hold its address; the first that is set counts
    default: str | None = None  # its address where none is set
    path: str = ""  # from there to the OTLP door
    needs: Pairs = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    headers: Callable[[Environ], Pairs] = lambda _: {}
    resource: Callable[[Environ], Pairs] = lambda _: {}
    default_of: Callable[[Environ], str] | None = None  # where the default depends on a key
    takes_grpc: bool = True
    grpc_port: tuple[str, str] | None = None  # variable, default
    page: str | None = None  # from its address to the page of {trace_id}

    @property
    def variables(self) -> tuple[str, ...]:
        return (*self.hosts, *self.needs, *self.optional)


def destination(name: str, environ: Environ, *, grpc: bool = False) -> Destination:
    """Where the backend takes spans. Raises ConfigError, naming the variable that is missing or wrong."""
    preset = PRESETS[name]
    for variable, what in preset.needs.items():
        if not value_of(environ, variable):
            raise ConfigError(f"backend={name!r} needs {variable}: set it to {what}.")
    if not preset.hosts:
        return Destination(takes_grpc=preset.takes_grpc)
    base = _address(name, environ) + preset.path
    if grpc and preset.takes_grpc:
        base = _grpc(preset, base, environ)
    return Destination(base, preset.headers(environ), preset.resource(environ), preset.takes_grpc)


def page(name: str, environ: Environ, endpoint: str | None = None) -> str | None:
    """The URL at which it shows the trace {trace_id}; None where that is not known.

    `endpoint` is where spans go, if not straight to the address of the preset: then its own variables must name the page's host.
    """
    preset = PRESETS[name]
    if preset.page is None:
        return None
    if not preset.hosts:
        return _beside(endpoint, preset.page)
    if endpoint is not None and not value_of(environ, *preset.hosts):
        return None
    named = re.compile(r"{([A-Z_]+)}")
    values = {v: quote(value_of(environ, v), safe="") for v in named.findall(preset.page)}
    if all(values.values()):
        with suppress(ConfigError):
            return _address(name, environ) + named.sub(lambda found: values[found[1]], preset.page)
    return None


def _beside(endpoint: str | None, page: str) -> str | None:
    """Jaeger's page is on another port than its OTLP door, and both are where they usually are, or we don't know."""
    parts = urlsplit(endpoint or "")
    usual = parts.port in (4317, 4318) and parts.scheme == "http"
    return f"http://{parts.netloc.rpartition('@')[2].rpartition(':')[0]}:16686{page}" if usual else None


# ---------------------------------------------------------------- pieces


def value_of(environ: Environ, *names: str) -> str:
    """Of the first that is set; quotes around it are what `.env` files leave."""
    values = (environ.get(name, "").strip().strip("\"'") for name in names)
    return next((value for value in values if value), "")


def _address(name: str, environ: Environ) -> str:
    """Base URL of its page."""
    preset = PRESETS[name]
    default = preset.default_of(environ) if preset.default_of else preset.default
    given = value_of(environ, *preset.hosts) or default or ""
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        variable = next((v for v in preset.hosts if value_of(environ, v)), preset.hosts[0])
        example = preset.default or "https://host"
        raise ConfigError(
            f"{variable} does not hold an http(s) URL of {preset.title}: write one like {example!r}."
        )
    return given.rstrip("/").removesuffix("/v1/traces").removesuffix(preset.path or "\n").rstrip("/")


def _grpc(preset: Preset, base: str, environ: Environ) -> str:
    """Its gRPC door: another port than that of its page."""
    if preset.grpc_port is None:
        return base
    variable, default = preset.grpc_port
    parts, web = urlsplit(base), urlsplit(preset.default or "")
    port = value_of(environ, variable) or (default if parts.port == web.port else "")
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}", path="")) if port else base


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _langfuse(environ: Environ) -> Pairs:
    keys = value_of(environ, "LANGFUSE_PUBLIC_KEY"), value_of(environ, "LANGFUSE_SECRET_KEY")
    # Without the version it takes up to ten minutes until spans show (langfuse.com, "real-time ingestion").
    return {"authorization": _basic(*keys), "x-langfuse-ingestion-version": "4"}


def _phoenix(environ: Environ) -> Pairs:
    pairs = (part.partition("=") for part in value_of(environ, "PHOENIX_CLIENT_HEADERS").split(","))
    found = {
        unquote(name).strip().lower(): unquote(value).strip() for name, _, value in pairs if name.strip()
    }
    key = value_of(environ, "PHOENIX_API_KEY")
    return {"authorization": f"Bearer {key}", **found} if key else found


def _phoenix_project(environ: Environ) -> Pairs:
    project = value_of(environ, "PHOENIX_PROJECT_NAME")
    return {"openinference.project.name": project} if project else {}


def _mlflow(environ: Environ) -> Pairs:
    found = {"x-mlflow-experiment-id": value_of(environ, "MLFLOW_EXPERIMENT_ID")}
    user, password = (
        value_of(environ, "MLFLOW_TRACKING_USERNAME"),
        value_of(environ, "MLFLOW_TRACKING_PASSWORD"),
    )
    token = value_of(environ, "MLFLOW_TRACKING_TOKEN")
    if user and password:  # in the order of its own client
        return {**found, "authorization": _basic(user, password)}
    return {**found, "authorization": f"Bearer {token}"} if token else found


def _logfire_region(environ: Environ) -> str:
    """A token names its region: pylf_v1_eu_..."""
    region = re.match(r"pylf_v\d+_([a-z]+)_", value_of(environ, "LOGFIRE_TOKEN"))
    return f"https://logfire-{region[1] if region else 'us'}.pydantic.dev"


_KEY = "a key from the project's settings"

PRESETS: Mapping[str, Preset] = {
    "langfuse": Preset(
        "Langfuse",
        hosts=("LANGFUSE_BASE_URL", "LANGFUSE_HOST"),
        default="https://cloud.langfuse.com",
        path="/api/public/otel",
        needs={"LANGFUSE_PUBLIC_KEY": _KEY, "LANGFUSE_SECRET_KEY": _KEY},
        headers=_langfuse,
        takes_grpc=False,
        page="/trace/{trace_id}",  # leads on to the project's page
    ),
    "phoenix": Preset(
        "Phoenix",
        hosts=("PHOENIX_COLLECTOR_ENDPOINT",),
        default="http://localhost:6006",
        optional=("PHOENIX_API_KEY", "PHOENIX_CLIENT_HEADERS", "PHOENIX_PROJECT_NAME", "PHOENIX_GRPC_PORT"),
        headers=_phoenix,
        resource=_phoenix_project,
        grpc_port=("PHOENIX_GRPC_PORT", "4317"),
        page="/redirects/traces/{trace_id}",
    ),
    "mlflow": Preset(
        "an MLflow server",
        hosts=("MLFLOW_TRACKING_URI",),
        default="http://localhost:5000",
        needs={"MLFLOW_EXPERIMENT_ID": "the id of an experiment (0 is the default one)"},
        optional=("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
        headers=_mlflow,
        takes_grpc=False,
        page="/#/experiments/{MLFLOW_EXPERIMENT_ID}/traces?selectedEvaluationId=tr-{trace_id}",
    ),
    "logfire": Preset(
        "Logfire",
        hosts=("LOGFIRE_BASE_URL",),
        default_of=_logfire_region,
        needs={"LOGFIRE_TOKEN": "a write token of the project"},
        headers=lambda environ: {"authorization": value_of(environ, "LOGFIRE_TOKEN")},
        takes_grpc=False,
    ),
    "honeycomb": Preset(
        "Honeycomb",
        hosts=("HONEYCOMB_API_ENDPOINT",),
        default="https://api.honeycomb.io",
        needs={"HONEYCOMB_API_KEY": "an ingest key of the environment"},
        headers=lambda environ: {"x-honeycomb-team": value_of(environ, "HONEYCOMB_API_KEY")},
    ),
    # No variables of their own: the OTEL_* ones, or localhost:4318, say where they are.
    "jaeger": Preset("Jaeger", page="/trace/{trace_id}"),
    "tempo": Preset("Tempo"),
    "collector": Preset("the OpenTelemetry Collector"),
}
