"""Settings: options of `instrument()` beat variables, which beat the defaults. They are read once, at `instrument()`.

The fields of `Config` and `Limits` are the table: `msgspec` converts each value to the type of its field. What the OpenTelemetry
SDK already has variables for (`OTEL_*`: endpoint, headers, service name, sampler, batches) stays there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from .errors import ConfigError as ConfigError
from .errors import nearest
from .old_names import SPELLINGS, translated

Backend = Literal["langfuse", "phoenix", "mlflow", "jaeger", "tempo", "collector", "logfire", "honeycomb"]
Calls = Literal["auto", "all", "none"]
Responses = Literal["background", "all", "none"]
Content = bool | Literal["events", "spans_and_events"]
Prices = Mapping[str, str | Mapping[str, float]] | Literal[False]
Redact = Callable[[str, str], str]  # (kind, text) -> text

BACKENDS: tuple[str, ...] = get_args(Backend)
_Seconds = Annotated[float, Meta(ge=0, le=1e9)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much runspan keeps, sends and waits for. The variable of a field counts where the field has its default.

    Args:
        settle_s: Seconds to wait, after a run has ended, for the app to read the messages and steps, before runspan fetches them.
        exit_timeout_s: Seconds that the exit of the process may wait for delivery.
        max_text_chars: Characters kept of one text: a part of a message, or an argument.
        max_message_chars: Characters kept of all texts of one message.
        max_attribute_chars: Characters of one span attribute.
        max_span_chars: Characters of all attributes of one span of a run. The longest attributes are cut first.
        max_input_messages: Messages of the conversation kept as a run's input.
        max_live_runs: Runs followed at once. Beyond this number the oldest one is exported as unfinished.
        max_live_bytes: Bytes of text kept for live runs.
        max_batch_bytes: Encoded bytes of one export request of runspan's own provider (gRPC receivers take 4 MiB).
    """

    settle_s: _Seconds = 1.0
    exit_timeout_s: _Seconds = 5.0
    max_text_chars: Annotated[int, Meta(ge=16)] = 16_384
    max_message_chars: Annotated[int, Meta(ge=16)] = 65_536
    max_attribute_chars: Annotated[int, Meta(ge=64)] = 131_072
    max_span_chars: Annotated[int, Meta(ge=4_096)] = 262_144
    max_input_messages: Annotated[int, Meta(ge=1)] = 100
    max_live_runs: Annotated[int, Meta(ge=1)] = 10_000
    max_live_bytes: Annotated[int, Meta(ge=1)] = 64_000_000
    max_batch_bytes: Annotated[int, Meta(ge=16_384)] = 3_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one `instrument()`, which says what each one means."""

    endpoint: str | None = field(default=None, repr=False)
    headers: dict[str, str] | None = field(default=None, repr=False)
    service_name: str | None = None
    backend: Backend | None = None
    file: Annotated[str, Meta(min_length=1)] | None = None
    tracer_provider: Any = None
    meter_provider: Any = None
    calls: Calls = "auto"
    responses: Responses = "background"
    capture_content: bool = True  # on spans
    content_events: bool = False  # on log records
    redact: Any = None
    background_fetch: bool = True
    propagate_in_metadata: bool = False
    bypass_other_instrumentations: bool = False
    prices: Any = None
    limits: Limits = Limits()
    enabled: bool = True
    set_global: bool = False
    console: bool = False  # print each trace as a tree; of RUNSPAN_CONSOLE alone

    @property
    def keeps_texts(self) -> bool:
        """Whether content goes anywhere."""
        return self.capture_content or self.content_events


LIMITS = frozenset(limit.name for limit in fields(Limits))
KINDS: Mapping[str, Any] = MappingProxyType(
    {
        **get_type_hints(Config, include_extras=True),
        **get_type_hints(Limits, include_extras=True),
        "capture_content": Content,
    }
)
_WITHOUT_VARIABLE = frozenset(
    {"endpoint", "headers", "service_name", "tracer_provider", "meter_provider", "redact", "limits"}
    | {"content_events"}
)
VARIABLES: Mapping[str, str] = {
    **{name: f"RUNSPAN_{name.upper()}" for name in KINDS if name not in _WITHOUT_VARIABLE},
    "background_fetch": "RUNSPAN_FETCH",
    "propagate_in_metadata": "RUNSPAN_PROPAGATE",
    "bypass_other_instrumentations": "RUNSPAN_NEIGHBOURS",
    "settle_s": "RUNSPAN_LINGER_S",
}
COST, THREADS, JOIN = "RUNSPAN_COST", "RUNSPAN_THREADS", "RUNSPAN_JOIN"  # of 0.1.0, still read
OURS = frozenset({*VARIABLES.values(), COST, THREADS, JOIN, "RUNSPAN_UI_TOKEN"})
CONTENT_MODE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CONTENT_MODES: Mapping[str, Any] = {
    "no_content": False,
    "false": False,
    "span_only": True,
    "true": True,
    "event_only": "events",
    "span_and_event": "spans_and_events",
}
_WORDS = {"yes": True, "on": True, "no": False, "off": False}  # beside true, false, 1 and 0
_OFF = ("0", "false", "no", "off")
_OF_OUR_PROVIDER = ("endpoint", "headers", "service_name", "set_global", "file")
_PRICES = '{"gpt-4o": {"input": 2.5, "output": 10, "cached": 1.25}, "my-deployment": "gpt-4o"}'


def resolve(options: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """The one Config of this process. Raises ConfigError with the cure."""
    given = translated(options, frozenset(KINDS), LIMITS)
    if _is_off(options, environ):  # then no variable matters, wrong ones neither
        environ = {}
        given["enabled"] = "enabled", False
    values = {name: _read(name, environ) for name in VARIABLES if environ.get(VARIABLES[name], "").strip()}
    if given.get("tracer_provider", ("", None))[1] is not None:
        # What the environment says of our own provider does not matter to an app that brings its own.
        values = {name: value for name, value in values.items() if name not in _OF_OUR_PROVIDER}
    _read_removed(environ, values)
    for name, (written, value) in given.items():
        values[name] = _checked(name, written, value)
    limits = {name: values.pop(name) for name in LIMITS & values.keys()}
    defaults = Limits()
    for name, value in asdict(values.pop("limits", defaults)).items():
        if value != getattr(defaults, name) and name not in given:
            limits[name] = _checked(name, f"limits.{name}", value)
    config = Config(**{**values, **_content(values, environ)}, limits=Limits(**limits))
    _check_consistent(config)
    return config


def unknown_variables(environ: Mapping[str, str]) -> Mapping[str, list[str]]:
    """Names that begin with `RUNSPAN_` and are not read -> the variables that may be meant: the option's name counts, too."""
    meant = {variable.removeprefix("RUNSPAN_").lower(): variable for variable in VARIABLES.values()}
    meant |= VARIABLES
    wrong = sorted(name for name in environ if name.startswith("RUNSPAN_") and name not in OURS)
    return {n: sorted({meant[one] for one in nearest(n.removeprefix("RUNSPAN_"), meant)}) for n in wrong}


def _is_off(options: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or options.get("enabled") is False:
        return True
    text = environ.get("RUNSPAN_ENABLED", "").strip().lower()
    return "enabled" not in options and text in _OFF


def _check_consistent(config: Config) -> None:
    for name in _OF_OUR_PROVIDER if config.tracer_provider is not None else ():
        if getattr(config, name):
            raise ConfigError(
                f"{name}= configures runspan's own provider, but tracer_provider= was given, too: pass only one of them."
            )


def _content(values: Mapping[str, Any], environ: Mapping[str, str]) -> Mapping[str, bool]:
    """Where content goes: our own settings, else the common variable of OpenTelemetry, else on spans."""
    content = values.get("capture_content")
    if content is None:
        mode = environ.get(CONTENT_MODE, "").strip().lower()
        if mode and mode not in _CONTENT_MODES:
            modes = ", ".join(known.upper() for known in _CONTENT_MODES)
            raise ConfigError(f"{CONTENT_MODE}={mode!r} is not known: use one of {modes}.")
        content = _CONTENT_MODES.get(mode, True)
    on_events = content in ("events", "spans_and_events")
    return {
        "capture_content": content is True or content == "spans_and_events",
        "content_events": values.get("content_events", on_events),  # an option of 0.1.0
    }


def _read_removed(environ: Mapping[str, str], values: dict[str, Any]) -> None:
    """Variables of 0.1.0 that have no option of their own any more."""
    cost = environ.get(COST, "").strip()
    if cost and _converted("enabled", COST, cost) is False:
        values["prices"] = False
    join = environ.get(JOIN, "").strip()
    if join:
        translated({"join": join.lower()}, frozenset(KINDS), LIMITS)


def _read(name: str, environ: Mapping[str, str]) -> Any:
    """The value of a variable."""
    variable = VARIABLES[name]
    text = environ[variable].strip()
    if name != "prices":
        return _converted(name, variable, text)
    if text.lower() in _OFF:
        return False
    try:
        prices = json.loads(text)
    except ValueError:
        raise ConfigError(f"{variable}={text!r}: write JSON, such as {_PRICES}.") from None
    return _checked(name, variable, prices)


def _converted(name: str, variable: str, text: str) -> Any:
    kind = KINDS[name]
    value: Any = text.lower() if _choices(kind) or kind is bool else text
    words = {**_WORDS, **SPELLINGS.get(name, {})} if _is_flag(kind) else {}
    return _checked(name, variable, words.get(value, value), strict=False)


def _checked(name: str, written: str, value: Any, *, strict: bool = True) -> Any:
    """`value` as the type of the setting. `written`: the option or variable that the user wrote."""
    check = _CHECKS.get(name)
    try:
        value = msgspec.convert(value, KINDS[name], strict=strict) if name not in _AS_THEY_ARE else value
        if check is None or (value is None and name != "limits") or check(value):
            return value
    except (msgspec.ValidationError, TypeError):
        pass
    # Passwords and keys stand around an `@` or a `?` of a URL.
    shown = "..." if name == "headers" or any(mark in str(value) for mark in "@?") else repr(value)
    raise ConfigError(f"{written}={shown}: {_cure(name, is_variable=not strict)}.")


def _choices(kind: Any) -> list[Any]:
    return [one for part in (kind, *get_args(kind)) if get_origin(part) is Literal for one in get_args(part)]


def _is_flag(kind: Any) -> bool:
    return kind is bool or bool in get_args(kind)


def _cure(name: str, *, is_variable: bool) -> str:
    if name in _CURES:
        return _CURES[name]
    kind, cures = KINDS[name], []
    if _is_flag(kind):
        cures.append("true or false" if is_variable else "True or False")
        if is_variable and name in SPELLINGS:
            cures.append(f"{' and '.join(SPELLINGS[name])} of 0.1.0")
    if choices := _choices(kind):
        cures.append(f"one of {', '.join(map(repr, choices))}")
    if cures:
        return f"use {', or '.join(cures)}"
    if get_origin(kind) is Annotated:
        number, meta = get_args(kind)
        return f"use a {'whole ' if number is int else ''}number of at least {meta.ge}"
    return "use a string"


def has_host(url: str) -> bool:
    """Whether a host that can exist stands in it, with a port that can be, if any."""
    try:
        host = (urlsplit(url).hostname or "").encode("idna")  # raises for an empty or too long part
        return bool(host) and urlsplit(url).port != 0  # raises for one that is none
    except ValueError:
        return False


def host_of(url: str) -> str | None:
    """`host:port` of a URL, to be shown: without user, password and path."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] if urlsplit(url).hostname else None
    except ValueError:
        return None


_AS_THEY_ARE = frozenset({"tracer_provider", "meter_provider", "redact", "prices", "limits"})
_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "endpoint": lambda url: url.startswith(("http://", "https://")) and has_host(url),
    "tracer_provider": lambda one: not isinstance(one, type) and callable(getattr(one, "get_tracer", None)),
    "meter_provider": lambda one: not isinstance(one, type) and callable(getattr(one, "get_meter", None)),
    "redact": callable,
    "prices": lambda prices: prices is False or isinstance(prices, Mapping),
    "limits": lambda limits: isinstance(limits, Limits),
}
_CURES: Mapping[str, str] = {
    "endpoint": "must be a URL such as 'http://localhost:4318'",
    "headers": "use a dict that maps header names to strings",
    "file": "use the path of a file",
    "tracer_provider": "use an OpenTelemetry TracerProvider (an instance, no class)",
    "meter_provider": "use an OpenTelemetry MeterProvider (an instance, no class)",
    "redact": "use a function redact(kind, text) -> text",
    "prices": f"use False for no costs, or map names of models to prices, such as {_PRICES}",
    "limits": "use runspan.Limits(...)",
}
