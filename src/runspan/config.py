"""Every setting, from one table: options beat environment beat defaults. Made once, at `instrument()`.

What the OpenTelemetry SDK already has variables for (`OTEL_*`: endpoint, headers, service name, sampler, batches) stays there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

BACKENDS = ("langfuse", "phoenix", "mlflow", "jaeger", "tempo", "collector", "logfire", "honeycomb")


class ConfigError(ValueError):
    """A setting is wrong. The message says what to write instead."""


def _setting(
    default: Any,
    env: str | None,
    doc: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    shown: bool = True,
) -> Any:
    return field(
        default=default, repr=shown, metadata={"env": env, "doc": doc, "choices": choices, "low": low}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of runspan. Each field is an option of `instrument()`; most have a variable of the environment too."""

    enabled: bool = _setting(
        True, "RUNSPAN_ENABLED", "Off: nothing is patched (`OTEL_SDK_DISABLED=true` does the same)."
    )
    capture_content: bool = _setting(
        True,
        "RUNSPAN_CAPTURE_CONTENT",
        "Record instructions, messages, tool arguments and results, metadata and error texts.",
    )
    content_events: bool = _setting(
        False,
        None,
        "Put content on `gen_ai.client.inference.operation.details` log records of the app's LoggerProvider.",
    )
    redact: Callable[[str, str], str] | None = _setting(
        None, None, "`redact(kind, text) -> text`, called for each text that goes out."
    )
    calls: str = _setting(
        "auto",
        "RUNSPAN_CALLS",
        "Spans for calls around runs: `auto` (writes, under a recording span; failures always), `all` (reads too), `none`.",
        choices=("auto", "all", "none"),
    )
    fetch: str = _setting(
        "auto",
        "RUNSPAN_FETCH",
        "Background GETs for what an ended run still lacks: `auto` or `never`.",
        choices=("auto", "never"),
    )
    join: str = _setting(
        "never",
        "RUNSPAN_JOIN",
        "`alive`: also trace runs of other processes that are first met alive by retrieve, cancel or submit.",
        choices=("never", "alive"),
    )
    propagate: str = _setting(
        "never",
        "RUNSPAN_PROPAGATE",
        "`metadata`: put one key of ours into the metadata of new runs, so that the process whose app sees the end traces the run.",
        choices=("never", "metadata"),
    )
    other_instrumentations: str = _setting(
        "past",
        "RUNSPAN_NEIGHBOURS",
        "Other tracers of `openai`, on Assistants paths: `past` goes past them, `leave` leaves them, with two sets of spans.",
        choices=("past", "leave"),
    )
    threads: bool = _setting(
        True,
        "RUNSPAN_THREADS",
        "runspan's spans in jobs of a `ThreadPoolExecutor` go under the span that submitted the job. Spans of others don't change.",
    )
    cost: bool = _setting(
        True,
        "RUNSPAN_COST",
        "Say what a run's tokens cost where a price is known: from `prices=`, or with `runspan[cost]` installed.",
    )
    prices: Mapping[str, Any] | None = _setting(
        None,
        "RUNSPAN_PRICES",
        "Prices of your own, in USD per million tokens, by model (in the variable as JSON): "
        "`{'gpt-4o': {'input': 2.5, 'output': 10, 'cached': 1.25}, 'my-deployment': 'gpt-4o'}`.",
    )
    console: bool = _setting(
        False,
        "RUNSPAN_CONSOLE",
        "Also print each trace as a tree when it is over.",
    )
    settle_s: float = _setting(
        1.0,
        "RUNSPAN_LINGER_S",
        "Seconds to wait for the app to read what is missing, before fetching.",
        low=0,
    )
    exit_timeout_s: float = _setting(
        5.0, "RUNSPAN_EXIT_TIMEOUT_S", "Seconds that the exit of the process may wait for delivery.", low=0
    )
    max_text_chars: int = _setting(
        16_384, "RUNSPAN_MAX_TEXT_CHARS", "Characters kept of one text (a message part, an argument).", low=16
    )
    max_message_chars: int = _setting(
        65_536, "RUNSPAN_MAX_MESSAGE_CHARS", "Characters kept of one message, all its texts together.", low=16
    )
    max_attribute_chars: int = _setting(
        131_072, "RUNSPAN_MAX_ATTRIBUTE_CHARS", "Characters of one span attribute.", low=64
    )
    max_span_chars: int = _setting(
        262_144,
        "RUNSPAN_MAX_SPAN_CHARS",
        "Characters of all attributes of one span of a run; the longest are cut first.",
        low=4_096,
    )
    max_input_messages: int = _setting(
        100, "RUNSPAN_MAX_INPUT_MESSAGES", "Messages of the thread kept as a run's input.", low=1
    )
    max_live_runs: int = _setting(
        10_000,
        "RUNSPAN_MAX_LIVE_RUNS",
        "Runs followed at once; beyond it the oldest goes out unfinished.",
        low=1,
    )
    max_live_bytes: int = _setting(
        64_000_000, "RUNSPAN_MAX_LIVE_BYTES", "Bytes of text kept for live runs.", low=1
    )
    tracer_provider: Any = _setting(
        None, None, "An OpenTelemetry TracerProvider to use instead of the global or our own."
    )
    meter_provider: Any = _setting(
        None, None, "An OpenTelemetry MeterProvider to use instead of the global or our own."
    )
    set_global: bool = _setting(False, "RUNSPAN_SET_GLOBAL", "Make our own providers the global ones.")
    backend: str | None = _setting(
        None,
        "RUNSPAN_BACKEND",
        "Where to, by name: its address, keys and extra attributes from its own variables (see Presets).",
        choices=BACKENDS,
    )
    file: str | None = _setting(
        None,
        "RUNSPAN_FILE",
        "Write OTLP JSON lines to this file, instead of to the default address or beside one that is given.",
    )
    max_batch_bytes: int = _setting(
        3_500_000,
        "RUNSPAN_MAX_BATCH_BYTES",
        "Encoded bytes of one request of our own provider (gRPC receivers take 4 MiB).",
        low=16_384,
    )
    endpoint: str | None = _setting(
        None,
        None,
        "OTLP/HTTP base URL for our own provider; beats `OTEL_EXPORTER_OTLP_ENDPOINT`.",
        shown=False,
    )
    headers: Mapping[str, str] | None = _setting(
        None, None, "OTLP headers for our own provider; beat `OTEL_EXPORTER_OTLP_HEADERS`.", shown=False
    )
    service_name: str | None = _setting(
        None, None, "`service.name` for our own provider; beats `OTEL_SERVICE_NAME`."
    )


# Of OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: (on spans, on log records).
_CONTENT_MODES: Mapping[str, tuple[bool, bool]] = {
    "no_content": (False, False),
    "false": (False, False),
    "span_only": (True, False),
    "true": (True, False),
    "event_only": (False, True),
    "span_and_event": (True, True),
}
_HIDING = frozenset("@?")  # what stands around passwords and keys in URLs
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


RENAMED = {"linger_s": "settle_s", "neighbours": "other_instrumentations"}  # options of 0.1 -> today's


def resolve(options: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """The one Config of this process. Raises ConfigError with the cure."""
    known = {f.name: f for f in fields(Config)}
    options = {RENAMED.get(name, name): value for name, value in options.items()}
    for name in options:
        if name not in known:
            raise ConfigError(f"runspan.instrument() has no option {name!r}. {_did_you_mean(name, known)}")
    values: dict[str, Any] = {}
    if _is_off(options, environ):  # then no variable matters, wrong ones neither
        environ, values = {}, {"enabled": False}
    for name, spec in known.items():
        variable = spec.metadata["env"]
        text = environ.get(variable, "").strip() if variable else ""
        if name in options:
            value = _checked(name, spec, options[name])
            values.setdefault(name, value)
        elif text and name not in _unasked(options):
            values[name] = _checked(variable, spec, _parsed(variable, spec, text))
    if "capture_content" not in values:
        values = {**_content_mode(environ), **values}
    return _consistent(Config(**values))


def _is_off(options: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or options.get("enabled") is False:
        return True
    return "enabled" not in options and environ.get("RUNSPAN_ENABLED", "").strip().lower() in _FALSE


def _unasked(options: Mapping[str, Any]) -> tuple[str, ...]:
    """What the environment says of our own provider does not matter to an app that brings its own."""
    return ("set_global", "file") if options.get("tracer_provider") is not None else ()


def _consistent(config: Config) -> Config:
    if config.tracer_provider is not None:
        for name in ("endpoint", "headers", "service_name", "set_global", "file"):
            if getattr(config, name):
                raise ConfigError(
                    f"{name}= configures our own provider, but tracer_provider= was given too: pass only one of them."
                )
    return config


def _content_mode(environ: Mapping[str, str]) -> dict[str, bool]:
    variable = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    mode = environ.get(variable, "").strip().lower()
    if not mode:
        return {}
    if mode not in _CONTENT_MODES:
        raise ConfigError(
            f"{variable}={mode!r} is not known: use one of {', '.join(m.upper() for m in _CONTENT_MODES)}."
        )
    on_spans, on_events = _CONTENT_MODES[mode]
    return {"capture_content": on_spans, "content_events": on_events}


def _parsed(variable: str, spec: Any, text: str) -> Any:
    if isinstance(spec.default, bool):
        if text.lower() not in _TRUE | _FALSE:
            raise ConfigError(f"{variable}={text!r}: write true or false.")
        return text.lower() in _TRUE
    if isinstance(spec.default, int | float):
        try:
            return type(spec.default)(text)
        except ValueError:
            raise ConfigError(f"{variable}={text!r}: write a number.") from None
    if spec.name == "prices":
        try:
            return json.loads(text)
        except ValueError:
            raise ConfigError(
                f"{variable}={text!r}: write JSON, such as "
                '{"gpt-4o": {"input": 2.5, "output": 10, "cached": 1.25}, "my-deployment": "gpt-4o"}.'
            ) from None
    return text.lower() if spec.metadata["choices"] else text


def _checked(name: str, spec: Any, value: Any) -> Any:
    choices, low = spec.metadata["choices"], spec.metadata["low"]
    if choices and value not in choices and not (value is None and spec.default is None):
        raise ConfigError(f"{name}={value!r}: use one of {', '.join(map(repr, choices))}.")
    problem = _CHECKS.get(spec.name, _by_default(spec.default))(value)
    if problem:
        is_secret = spec.name == "headers" or not _HIDING.isdisjoint(str(value))
        raise ConfigError(f"{name}={'...' if is_secret else repr(value)}: {problem}.")
    if low is not None and value < low:
        raise ConfigError(f"{name}={value!r}: must be at least {low}.")
    return value


def _by_default(default: Any) -> Callable[[Any], str | None]:
    if isinstance(default, bool):
        return lambda v: None if isinstance(v, bool) else "must be True or False"
    if isinstance(default, int):
        return lambda v: None if isinstance(v, int) and not isinstance(v, bool) else "must be a whole number"
    if isinstance(default, float):
        return lambda v: (
            None
            if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
            else "must be a number"
        )
    return lambda v: None if v is None or isinstance(v, str) else "must be a string"


def _is_provider(value: Any) -> str | None:
    if isinstance(value, type):
        return f"is a class; pass an instance, {value.__name__}()"
    is_one = value is None or callable(getattr(value, "get_tracer", None))
    return None if is_one else "must be an OpenTelemetry TracerProvider"


def _is_meter_provider(value: Any) -> str | None:
    if isinstance(value, type):
        return f"is a class; pass an instance, {value.__name__}()"
    is_one = value is None or callable(getattr(value, "get_meter", None))
    return None if is_one else "must be an OpenTelemetry MeterProvider"


def _is_prices(value: Any) -> str | None:
    return None if value is None or isinstance(value, Mapping) else "must map names of models to prices"


def _is_headers(value: Any) -> str | None:
    if value is None or (
        isinstance(value, Mapping) and all(isinstance(x, str) for kv in value.items() for x in kv)
    ):
        return None
    return "must map header names to strings"


def _is_path(value: Any) -> str | None:
    return None if value is None or (isinstance(value, str) and value) else "must be the path of a file"


def _is_url(value: Any) -> str | None:
    if value is None or (
        isinstance(value, str) and value.startswith(("http://", "https://")) and _has_port(value)
    ):
        return None
    return "must be a URL such as 'http://localhost:4318'"


def _has_port(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0  # raises for one that is none
    except ValueError:
        return False


def host_of(url: str) -> str | None:
    """`host:port` of a URL, to be shown: without user, password and path."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] if urlsplit(url).hostname else None
    except ValueError:
        return None


def _is_redact(value: Any) -> str | None:
    return None if value is None or callable(value) else "must be a function redact(kind, text) -> text"


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "redact": _is_redact,
    "tracer_provider": _is_provider,
    "meter_provider": _is_meter_provider,
    "prices": _is_prices,
    "headers": _is_headers,
    "endpoint": _is_url,
    "file": _is_path,
}


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"It knows: {', '.join(known)}."
