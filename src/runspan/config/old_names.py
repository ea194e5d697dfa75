"""Options of `instrument()` under their names of 0.1.0. They work, and one INFO line says what to write today."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .errors import ConfigError, nearest

logger = logging.getLogger("runspan")

# Flags that were words: today's option -> {the word: its value}. The words also work in the option's variable.
SPELLINGS: Mapping[str, Mapping[Any, bool]] = {
    "background_fetch": {"auto": True, "never": False},
    "propagate_in_metadata": {"metadata": True, "never": False},
    "bypass_other_instrumentations": {"past": True, "leave": False},
}
RENAMED: Mapping[str, str] = {
    "fetch": "background_fetch",
    "propagate": "propagate_in_metadata",
    "neighbours": "bypass_other_instrumentations",
    "other_instrumentations": "bypass_other_instrumentations",
    "linger_s": "settle_s",
}
ALWAYS_ON = "thread pools always carry runspan's own context, and no other"
_SAMPLER = "To sample traces, set OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG."
_RESOURCE = "Set OTEL_RESOURCE_ATTRIBUTES, for example to 'deployment.environment.name=test'."
_EXPORTER = (
    "To use an exporter of your own, pass tracer_provider=. For an address, pass endpoint= or backend=."
)
# Options of other tracers -> what does the same here.
ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("sampler", "sampling", "sample_rate", "sampling_rate", "sampling_ratio"), _SAMPLER),
    **dict.fromkeys(
        ("resource", "resource_attributes", "environment", "release", "service_version"), _RESOURCE
    ),
    **dict.fromkeys(("exporter", "exporters", "processor", "span_processor", "span_exporter"), _EXPORTER),
    "protocol": "Set OTEL_EXPORTER_OTLP_PROTOCOL to 'http/protobuf' or 'grpc'.",
    **dict.fromkeys(("metrics", "meter"), "Pass meter_provider= or set OTEL_METRICS_EXPORTER."),
    **dict.fromkeys(
        ("project", "project_name"), "Pass service_name=. For Phoenix, set PHOENIX_PROJECT_NAME."
    ),
    "api_key": "Pass headers=, or pass backend= and set the variables of that backend.",
    "debug": "Set the level of the logger 'runspan' to DEBUG.",
}
NO_JOIN = (
    "join={!r}: a run that another process created is no longer followed by its id alone. Call runspan.instrument() where the run "
    "is created, and pass it on by runspan.handoff() and runspan.adopt(), or with instrument(propagate_in_metadata=True) there."
)

Given = dict[str, tuple[str, Any]]  # today's name -> (the name that the user wrote, the value)


def translated(options: Mapping[str, Any], settings: frozenset[str], limits: frozenset[str]) -> Given:
    """The options under today's names. Raises ConfigError for one that is unknown or removed."""
    given: Given = {}
    advice: list[str] = []
    for name, value in options.items():
        now = RENAMED.get(name, name)
        if name == "join":
            _check_join(value)
        elif name == "threads":
            advice.append(f"threads= has no effect: {ALWAYS_ON}")
        elif name == "cost":
            if value not in (True, False):
                raise ConfigError(f"cost={value!r}: use True or False, or today's prices=False for no costs.")
            advice.append("prices=False, in place of cost=False, switches costs off")
        elif now in limits:
            advice.append(f"write limits=runspan.Limits({now}=...) for {name}=")
            given[now] = name, value
        elif now != name:
            advice.append(f"write {now}=... for {name}=")
            given[now] = name, _flag(name, now, value)
        elif name in settings:
            advice += _ADVICE.get(name, ())
            given[name] = name, value
        else:
            raise ConfigError(_unknown(name, settings, limits))
    if options.get("cost") is False:
        given["prices"] = "cost", False
    if advice:
        logger.info("runspan: instrument() has new names for its options: %s.", "; ".join(advice))
    return given


_ADVICE = {
    "content_events": ('write capture_content="events" or "spans_and_events" for content_events=',),
    "console": ("set RUNSPAN_CONSOLE=true for console=",),
}


def _flag(name: str, now: str, value: Any) -> bool:
    words = SPELLINGS[now]
    if not isinstance(value, str) or value not in words:
        raise ConfigError(
            f"{name}={value!r}: use one of {', '.join(map(repr, words))}, or today's {now}=True or False."
        )
    return words[value]


def _check_join(value: Any) -> None:
    if value != "never":  # which is how it is now
        raise ConfigError(NO_JOIN.format(value))


def _unknown(name: str, settings: frozenset[str], limits: frozenset[str]) -> str:
    wrong = f"runspan.instrument() has no option {name!r}."
    if name.lower() in ELSEWHERE:
        return f"{wrong} {ELSEWHERE[name.lower()]}"
    today = settings - _ADVICE.keys()
    close = dict.fromkeys(RENAMED.get(one, one) for one in nearest(name, today | RENAMED.keys()))
    if close:
        return f"{wrong} Did you mean {' or '.join(_written(one, limits) for one in close)}?"
    return f"{wrong} Use one of: {', '.join(sorted(today - limits))}."


def _written(name: str, limits: frozenset[str]) -> str:
    return f"limits=runspan.Limits({name}=...)" if name in limits else repr(name)
