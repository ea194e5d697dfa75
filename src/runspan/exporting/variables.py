"""The variables of the OpenTelemetry SDK that our own providers go by. Each is read here, once, at `instrument()`.

The SDK itself warns of a wrong value and goes on without it, raises when the first span comes, or never exports anything. Here it
is a ConfigError that names the variable, the value and the cure. As the specification says, an empty variable counts as not set.
"""

from __future__ import annotations

import math
import os
import re
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeVar
from urllib.parse import unquote

from ..config import ConfigError

T = TypeVar("T")
Parse = Callable[[str], T]  # raises ValueError(cure)

NOTHING: Mapping[str, str] = {}
SECRET = re.compile("HEADERS|CREDENTIAL|KEY")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110
_FILE_ERRORS = (OSError, ValueError)
_ZERO_TOO = -5e-324  # the number before 0
EXPORT_DELAY_MS = 1_000.0  # the SDK has 5 s; a process that is killed loses what waits
_LONGEST_MS = 1e11  # three years; the system's clocks take no more than a few hundred


def read(name: str, parse: Parse[T], default: T) -> T:
    """What the variable says, or the default where it is not set."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{name}={shown(name, text)}: {error}.") from None


def of_otlp(name: str, signal: str = "TRACES") -> tuple[str, str | None]:
    """The variable of the OTLP exporter that counts, and its value: the one for the signal beats the one for all."""
    special, general = f"OTEL_EXPORTER_OTLP_{signal}_{name}", f"OTEL_EXPORTER_OTLP_{name}"
    counts = special if os.environ.get(special, "").strip() else general
    return counts, os.environ.get(counts, "").strip() or None


def read_otlp(name: str, signal: str, parse: Parse[T], default: T) -> T:
    return read(of_otlp(name, signal)[0], parse, default)


def names(variable: str) -> list[str]:
    """Of a variable that holds several, with commas between."""
    return [name for part in os.environ.get(variable, "").split(",") if (name := part.strip())]


def check_provider(signal: str, get: Callable[[], object]) -> None:
    """`get` gives the provider of the app, which the API itself makes where this variable is set; it raises for unknown names."""
    name = f"OTEL_PYTHON_{signal}_PROVIDER"
    if name in os.environ:
        try:
            get()
        except Exception:
            raise ConfigError(
                f"{name}={os.environ[name]!r}: no installed package has a provider of that name that can be made. Leave it out."
            ) from None


def plug_in(group: str, name: str, where: str) -> Any:
    """What an installed package registers under this name; None: nothing. `where`: the variable that names it, and its value."""
    entry = next(iter(entry_points(group=group, name=name)), None)
    try:
        return entry and entry.load()
    except Exception as error:
        raise ConfigError(f"{where}: it can't be loaded ({type(error).__name__}).") from None


def shown(name: str, text: str) -> str:
    """The value, but no keys: those are in headers, and around the `@` and `?` of a URL."""
    if SECRET.search(name):
        return "..."
    return repr(text) if "@" not in text and "?" not in text else "..."


# ---------------------------------------------------------------- what a value may be


def whole(low: int = 1) -> Parse[int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= sys.maxsize:
            raise ValueError(f"write a whole number, {low} or more")
        return number

    return parse


def limit(text: str) -> int | None:
    """None: no limit."""
    if text.lower() == "unset":
        return None
    try:
        return whole(0)(text)
    except ValueError as error:
        raise ValueError(f"{error}, or unset") from None


def number(unit: str, *, low: float = 0.0, high: float = _LONGEST_MS, example: str) -> Parse[float]:
    """More than `low`, at most `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low < value <= high:
            raise ValueError(f"write {unit}, such as {example}")
        return value

    return parse


share = number("a number from 0 to 1", low=_ZERO_TOO, high=1.0, example="0.1")


def one_of(*choices: str) -> Parse[str]:
    def parse(text: str) -> str:
        if text.lower() not in map(str.lower, choices):
            raise ValueError(
                f"use {' or '.join(choices)}" if len(choices) == 2 else f"use one of {', '.join(choices)}"
            )
        return text.lower()

    return parse


def flag(text: str) -> bool:
    return one_of("true", "false")(text) == "true"


def headers(text: str) -> Mapping[str, str]:
    """`name=value,name=value`, names in lower case."""
    named = ((unquote(name).lower(), value.strip()) for name, value in _pairs(text, "name"))
    found = {name if _TOKEN.fullmatch(name) else "": value for name, value in named}
    if "" in found or any(re.search(r"[\r\n\x00]", value) for value in found.values()):
        raise ValueError(_PAIRS.format("name"))
    return found


def attributes(text: str) -> Mapping[str, str]:
    """`key=value,key=value`, of a resource."""
    return dict(_pairs(text, "key"))


_PAIRS = "write {}=value pairs with commas between, a comma in a value as %2C"


def _pairs(text: str, what: str) -> Iterator[tuple[str, str]]:
    """Values may be percent-encoded; parts between commas may be empty."""
    for pair in filter(None, map(str.strip, text.split(","))):
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ValueError(_PAIRS.format(what))
        yield key.strip(), unquote(value.strip())


# ---------------------------------------------------------------- certificates


def trust(signal: str = "TRACES") -> Mapping[str, Any]:
    """Arguments of whatever sends: the authorities that it trusts, and what it shows itself."""
    return {"trusted": read_otlp("CERTIFICATE", signal, authorities, None), "identity": identity(signal)}


def authorities(text: str) -> str:
    """A file or folder of certificates to trust."""
    try:
        where = {"capath" if os.path.isdir(text) else "cafile": text}
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**where)
    except _FILE_ERRORS as error:
        raise ValueError(f"name a file of PEM certificates that can be read ({_reason(error)})") from None
    return text


def identity(signal: str) -> tuple[str, str | None] | None:
    """(certificate, key) that we show; the key may stand in the certificate's file."""
    name, certificate = of_otlp("CLIENT_CERTIFICATE", signal)
    key_name, key = of_otlp("CLIENT_KEY", signal)
    if certificate is None:
        if key is not None:
            raise ConfigError(f"{key_name}=...: name the certificate of this key in {name}.")
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: b"")
    except _FILE_ERRORS as error:
        raise ConfigError(
            f"{name}={certificate!r} ({key_name}: {'set' if key else 'not set'}): name PEM files of a certificate and its key, "
            f"without a password ({_reason(error)})."
        ) from None
    return certificate, key


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__


# ---------------------------------------------------------------- spans


def batching() -> Mapping[str, Any]:
    """`max_queue`, `max_batch` (spans) and `delay_s` of our processor."""
    delay_ms = read("OTEL_BSP_SCHEDULE_DELAY", number("milliseconds", example="1000"), EXPORT_DELAY_MS)
    max_queue = read("OTEL_BSP_MAX_QUEUE_SIZE", whole(), 2_048)
    max_batch = read("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", whole(), min(512, max_queue))
    # Nothing uses it.
    read("OTEL_BSP_EXPORT_TIMEOUT", number("milliseconds", low=_ZERO_TOO, example="30000"), 0.0)
    if max_batch > max_queue:
        raise ConfigError(
            f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE={max_batch}: a batch comes from a queue of {max_queue} spans. "
            "Lower it, or raise OTEL_BSP_MAX_QUEUE_SIZE."
        )
    return {"max_queue": max_queue, "max_batch": max_batch, "delay_s": delay_ms / 1_000}


# Argument of SpanLimits, variable, what holds where that is not set: a number, or another argument.
_LIMITS: tuple[tuple[str, str, int | str | None], ...] = (
    ("max_attributes", "OTEL_ATTRIBUTE_COUNT_LIMIT", 128),
    ("max_events", "OTEL_SPAN_EVENT_COUNT_LIMIT", 128),
    ("max_links", "OTEL_SPAN_LINK_COUNT_LIMIT", 128),
    ("max_span_attributes", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "max_attributes"),
    ("max_event_attributes", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "max_attributes"),
    ("max_link_attributes", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "max_attributes"),
    ("max_attribute_length", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", None),
    ("max_span_attribute_length", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "max_attribute_length"),
)


def span_limits() -> Mapping[str, int | None]:
    """Arguments of the SDK's SpanLimits. None: no limit."""
    found: dict[str, int | None] = {}
    for argument, variable, default in _LIMITS:
        found[argument] = read(variable, limit, found[default] if isinstance(default, str) else default)
    return found


# ---------------------------------------------------------------- metrics


def metrics() -> tuple[str, float, float]:
    """(exemplar filter, interval, timeout), both in milliseconds. Also checks what the SDK reads itself."""
    read("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", one_of("cumulative", "delta", "lowmemory"), "")
    read(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        one_of("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
        "",
    )
    read("OTEL_EXPORTER_PROMETHEUS_PORT", whole(0), 0)
    exemplars = one_of("always_on", "always_off", "trace_based")
    return (
        read("OTEL_METRICS_EXEMPLAR_FILTER", exemplars, "trace_based"),
        read("OTEL_METRIC_EXPORT_INTERVAL", number("milliseconds", example="60000"), 60_000.0),
        read("OTEL_METRIC_EXPORT_TIMEOUT", number("milliseconds", example="30000"), 30_000.0),
    )
