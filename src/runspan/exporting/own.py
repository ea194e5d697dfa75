"""Our own provider: resource, sampler and limits, each read from the variables at `instrument()` and handed over explicitly."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)

from .. import _compat
from ..config import Config, ConfigError
from ..guard import logger
from . import variables
from .address import destination

NAMELESS = "unknown_service"  # what the SDK says then, with the interpreter's name behind it
MOST_ATTRIBUTES = 64  # that a span of a run has, about

_SAMPLERS: Mapping[str, Callable[[float], Sampler]] = {
    "always_on": lambda _: ALWAYS_ON,
    "always_off": lambda _: ALWAYS_OFF,
    "parentbased_always_on": lambda _: DEFAULT_ON,
    "parentbased_always_off": lambda _: DEFAULT_OFF,
    "traceidratio": TraceIdRatioBased,
    "parentbased_traceidratio": lambda ratio: ParentBased(TraceIdRatioBased(ratio)),
}


def maker(config: Config) -> Callable[[], TracerProvider]:
    """What makes it, as often as it is called. Raises ConfigError."""
    settings = {
        "resource": resource({**destination(config).resource, **service(config)}),
        "sampler": sampler(),
        "span_limits": limits(),
    }
    # Ours is made anew in a forked child, which has no use for what the SDK starts there.
    kind = TracerProvider if config.set_global else _compat.without_fork_hook(TracerProvider)
    # Our exit hook flushes within a deadline; the SDK's own would wait for a dead endpoint.
    return lambda: kind(**settings, shutdown_on_exit=False)


def resource(attributes: Mapping[str, str]) -> Resource:
    """`attributes` beat those of the variables. A service that nobody names has the program's name."""
    variables.read("OTEL_RESOURCE_ATTRIBUTES", variables.attributes, variables.NOTHING)
    variables.read("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", _detectors, "")
    found = Resource.create(dict(attributes))
    if str(found.attributes.get(SERVICE_NAME, NAMELESS)).startswith(NAMELESS):
        return found.merge(Resource({SERVICE_NAME: program_name()}))
    return found


def program_name() -> str:
    """The service where nobody names one: `app` for `python app.py`, `pkg.mod` for `python -m pkg.mod`, `uvicorn` for uvicorn,
    `python` for a prompt or `-c`.
    """
    main = sys.modules.get("__main__")
    module = getattr(getattr(main, "__spec__", None), "name", None)
    if isinstance(module, str) and module != "__main__":
        return module.removesuffix(".__main__")
    path = getattr(main, "__file__", None) or sys.argv[0]
    if os.path.basename(path) == "__main__.py":  # of a folder or a zip file
        path = os.path.dirname(path)
    stem = os.path.splitext(os.path.basename(os.path.abspath(path)))[0] if path and path != "-c" else ""
    return stem or "python"


def _detectors(text: str) -> str:
    registered = {"otel", "service_instance", "*"} | {
        entry.name for entry in entry_points(group="opentelemetry_resource_detector")
    }
    unknown = [name for part in text.split(",") if (name := part.strip()) and name not in registered]
    if unknown:
        raise ValueError(f"use names of {sorted(registered)}, or install the package of {unknown[0]!r}")
    return text


def service(config: Config) -> Mapping[str, str]:
    return {SERVICE_NAME: config.service_name} if config.service_name else {}


def sampler() -> Sampler:
    """One of the specification's, or one that another package registers."""
    given = os.environ.get("OTEL_TRACES_SAMPLER", "").strip() or "parentbased_always_on"
    if (make := _SAMPLERS.get(given.lower())) is not None:
        is_ratio = "ratio" in given.lower()
        return make(variables.read("OTEL_TRACES_SAMPLER_ARG", variables.share, 1.0) if is_ratio else 1.0)
    where, argument = f"OTEL_TRACES_SAMPLER={given!r}", os.environ.get("OTEL_TRACES_SAMPLER_ARG", "")
    plug_in = variables.plug_in("opentelemetry_traces_sampler", given, where)
    if plug_in is None:
        raise ConfigError(f"{where}: use one of {', '.join(_SAMPLERS)}.")
    try:
        made: Sampler = plug_in(argument)
    except Exception as error:
        raise ConfigError(
            f"{where} with OTEL_TRACES_SAMPLER_ARG={argument!r}: "
            f"this sampler can't be made ({type(error).__name__}: {error})."
        ) from None
    return made


def limits() -> SpanLimits:
    found = variables.span_limits()
    most = found["max_span_attributes"]
    if most is not None and most < MOST_ATTRIBUTES:
        logger.warning(
            "runspan: OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT (or OTEL_ATTRIBUTE_COUNT_LIMIT) keeps %d attributes of a span; a run has up "
            "to %d, and the SDK drops the first of them.",
            most,
            MOST_ATTRIBUTES,
        )
    return SpanLimits(**{name: SpanLimits.UNSET if value is None else value for name, value in found.items()})
