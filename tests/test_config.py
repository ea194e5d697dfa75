"""Settings: options beat environment beat defaults, and what is wrong is one clear line with the cure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from runspan.config import Config, ConfigError, resolve

FIELDS = {field.name: field for field in dataclasses.fields(Config)}
VARIABLES = {name: field.metadata["env"] for name, field in FIELDS.items() if field.metadata["env"]}
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

# option -> (something else than its default, how the environment spells it)
OTHER: Mapping[str, tuple[Any, str]] = {
    "enabled": (False, "false"),
    "capture_content": (False, "no"),
    "calls": ("all", "ALL"),
    "fetch": ("never", "Never"),
    "join": ("alive", "alive"),
    "other_instrumentations": ("leave", "leave"),
    "settle_s": (2.5, "2.5"),
    "exit_timeout_s": (0, "0"),
    "max_text_chars": (100, "100"),
    "max_message_chars": (500, "500"),
    "max_attribute_chars": (1_000, "1000"),
    "max_span_chars": (5_000, "5000"),
    "max_input_messages": (7, "7"),
    "max_live_runs": (8, "8"),
    "max_live_bytes": (9_000, "9000"),
    "set_global": (True, "1"),
    "threads": (False, "off"),
    "propagate": ("metadata", "Metadata"),
    "console": (True, "on"),
    "cost": (False, "off"),
    "prices": ({"my-gpt4o": "gpt-4o"}, '{"my-gpt4o": "gpt-4o"}'),
    "backend": ("jaeger", "Jaeger"),
    "file": ("Traces.jsonl", "Traces.jsonl"),
    "max_batch_bytes": (65_536, "65536"),
}


def complaint(options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(options, environ or {})
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_every_variable_has_a_sample_in_this_file() -> None:
    assert OTHER.keys() == VARIABLES.keys()


def test_without_anything_the_defaults_hold() -> None:
    config = resolve({}, {})
    assert {name: getattr(config, name) for name in FIELDS} == {n: f.default for n, f in FIELDS.items()}


@pytest.mark.parametrize("name", OTHER)
def test_the_environment_beats_the_default(name: str) -> None:
    value, text = OTHER[name]
    assert getattr(resolve({}, {VARIABLES[name]: f" {text} "}), name) == value


@pytest.mark.parametrize("name", OTHER)
def test_an_option_beats_the_environment(name: str) -> None:
    default = FIELDS[name].default
    assert getattr(resolve({name: default}, {VARIABLES[name]: OTHER[name][1]}), name) == default


@pytest.mark.parametrize("name", VARIABLES)
def test_an_empty_variable_is_one_that_is_not_set(name: str) -> None:
    assert resolve({}, {VARIABLES[name]: "  "}) == Config()


def test_the_config_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve({}, {}).fetch = "never"  # type: ignore[misc]


def test_every_setting_has_a_line_of_explanation() -> None:
    assert all(field.metadata["doc"].endswith(".") for field in FIELDS.values())


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("capture_contents", "capture_content"),
        ("exit_timeout", "exit_timeout_s"),
        ("services_name", "service_name"),
        ("end_point", "endpoint"),
        ("Fetch", "fetch"),
    ],
)
def test_an_unknown_option_is_answered_with_the_nearest(given: str, meant: str) -> None:
    message = complaint({given: True})
    assert repr(given) in message
    assert f"Did you mean {meant!r}?" in message


def test_an_option_like_no_other_is_answered_with_all_of_them() -> None:
    message = complaint({"zzz": 1})
    assert all(name in message for name in FIELDS)


WRONG: list[tuple[str, Any, str]] = [
    ("enabled", "yes", "True or False"),
    ("enabled", 1, "True or False"),
    ("capture_content", None, "True or False"),
    ("calls", "some", "'auto', 'all', 'none'"),
    ("calls", None, "'auto', 'all', 'none'"),
    ("calls", ["all"], "'auto', 'all', 'none'"),
    ("fetch", False, "'auto', 'never'"),
    ("join", "always", "'never', 'alive'"),
    ("settle_s", "1", "number"),
    ("settle_s", -1, "at least 0"),
    ("settle_s", float("nan"), "number"),
    ("settle_s", float("inf"), "number"),
    ("settle_s", True, "number"),
    ("exit_timeout_s", None, "number"),
    ("max_text_chars", 1.5, "whole number"),
    ("max_text_chars", 0, "at least 16"),
    ("max_live_runs", 0, "at least 1"),
    ("max_live_runs", True, "whole number"),
    ("tracer_provider", "otlp", "TracerProvider"),
    ("tracer_provider", TracerProvider, "TracerProvider"),
    ("set_global", "true", "True or False"),
    ("endpoint", "localhost:4318", "http://"),
    ("endpoint", "", "http://"),
    ("endpoint", 4318, "http://"),
    ("endpoint", "http://", "http://localhost:4318"),
    ("service_name", 7, "string"),
    ("redact", "email", "function"),
    ("backend", "zipkin", "'langfuse', 'phoenix'"),
    ("backend", 7, "'langfuse', 'phoenix'"),
    ("file", "", "path"),
    ("file", 3, "path"),
    ("max_batch_bytes", 100, "at least 16384"),
]


@pytest.mark.parametrize(("name", "value", "cure"), WRONG)
def test_a_wrong_value_is_named_with_the_cure(name: str, value: Any, cure: str) -> None:
    message = complaint({name: value})
    assert name in message
    assert cure in message


WRONG_TEXTS: list[tuple[str, str, str]] = [
    ("enabled", "maybe", "true or false"),
    ("capture_content", "2", "true or false"),
    ("calls", "some", "'auto', 'all', 'none'"),
    ("settle_s", "soon", "number"),
    ("settle_s", "nan", "number"),
    ("exit_timeout_s", "inf", "number"),
    ("exit_timeout_s", "-1", "at least 0"),
    ("max_text_chars", "1e3", "number"),
    ("max_live_runs", "many", "number"),
    ("max_live_runs", "0", "at least 1"),
]


@pytest.mark.parametrize(("name", "text", "cure"), WRONG_TEXTS)
def test_a_wrong_variable_is_named_with_the_cure(name: str, text: str, cure: str) -> None:
    message = complaint({}, {VARIABLES[name]: text})
    assert VARIABLES[name] in message
    assert cure in message


@pytest.mark.parametrize("name", ["endpoint", "headers", "service_name", "set_global", "file"])
def test_a_provider_and_settings_of_ours_contradict_each_other(name: str) -> None:
    values = {
        "endpoint": "http://localhost:4318",
        "headers": {"x-key": "secret"},
        "service_name": "app",
        "set_global": True,
        "file": "traces.jsonl",
    }
    message = complaint({"tracer_provider": TracerProvider(shutdown_on_exit=False), name: values[name]})
    assert name in message
    assert "tracer_provider" in message
    assert "secret" not in message


def test_nothing_in_the_environment_contradicts_a_provider_that_the_app_passes() -> None:
    """Whoever sets the variables is often not who writes the code: the option wins."""
    provider = TracerProvider(shutdown_on_exit=False)
    environ = {"RUNSPAN_SET_GLOBAL": "true", "RUNSPAN_FILE": "traces.jsonl"}
    config = resolve({"tracer_provider": provider}, environ)
    assert (config.tracer_provider, config.set_global, config.file) == (provider, False, None)


def test_a_backend_beside_a_provider_of_the_app_is_welcome() -> None:
    """It adds its attributes and its page there."""
    provider = TracerProvider(shutdown_on_exit=False)
    assert resolve({"tracer_provider": provider, "backend": "langfuse"}, {}).backend == "langfuse"


@pytest.mark.parametrize(
    "headers",
    [
        "authorization=secret",
        {"authorization": 7, "x": "secret"},
        {"authorization": ["secret"]},
        [("authorization", "secret")],
        {7: "secret"},
    ],
)
def test_headers_never_show_in_a_message(headers: Any) -> None:
    message = complaint({"headers": headers})
    assert "secret" not in message
    assert "headers" in message


def test_a_password_in_the_endpoint_never_shows_in_a_message() -> None:
    assert "secret" not in complaint({"endpoint": "localhost://user:secret@host:4318"})
    assert "secret" not in complaint({"endpoint": ["http://user:secret@host"]})


def test_headers_never_show_in_the_configs_repr() -> None:
    assert "secret" not in repr(resolve({"headers": {"authorization": "secret"}}, {}))


# ---------------------------------------------------------------- the variables of OpenTelemetry


@pytest.mark.parametrize("text", ["true", "TRUE", " True "])
def test_the_sdk_disabled_disables_us_whatever_the_options_say(text: str) -> None:
    assert resolve({"enabled": True}, {"OTEL_SDK_DISABLED": text}).enabled is False


@pytest.mark.parametrize("text", ["false", "", "1", "no"])
def test_only_true_disables(text: str) -> None:
    """As the specification of OpenTelemetry has it."""
    assert resolve({}, {"OTEL_SDK_DISABLED": text}).enabled is True


@pytest.mark.parametrize(
    ("mode", "on_spans"),
    [
        ("NO_CONTENT", False),
        ("no_content", False),
        ("false", False),
        ("SPAN_ONLY", True),
        ("true", True),
        ("True", True),
        ("EVENT_ONLY", False),
        ("SPAN_AND_EVENT", True),
        ("", True),
    ],
)
def test_the_common_variable_for_content(mode: str, on_spans: bool) -> None:
    assert resolve({}, {CONTENT: mode}).capture_content is on_spans


def test_our_own_switches_for_content_beat_the_common_one() -> None:
    assert resolve({}, {CONTENT: "NO_CONTENT", "RUNSPAN_CAPTURE_CONTENT": "true"}).capture_content is True
    assert resolve({}, {CONTENT: "SPAN_ONLY", "RUNSPAN_CAPTURE_CONTENT": "false"}).capture_content is False
    assert resolve({"capture_content": False}, {CONTENT: "SPAN_ONLY"}).capture_content is False


@pytest.mark.parametrize(
    "off", [({"capture_content": False}, {}), ({}, {"RUNSPAN_CAPTURE_CONTENT": "false"})]
)
def test_one_switch_turns_content_off_on_every_path(off: tuple[dict[str, Any], dict[str, str]]) -> None:
    options, environ = off
    config = resolve(options, {**environ, CONTENT: "SPAN_AND_EVENT"})
    assert (config.capture_content, config.content_events) == (False, False)


def test_an_unknown_mode_of_content_is_named_with_the_known_ones() -> None:
    message = complaint({}, {CONTENT: "everything"})
    assert CONTENT in message
    assert all(mode in message for mode in ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"))
