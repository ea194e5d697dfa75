"""Settings: options beat environment beat defaults, and what is wrong is one clear line with the cure."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from opentelemetry.sdk.trace import TracerProvider

import runspan
from runspan.config import LIMITS, OURS, VARIABLES, Config, ConfigError, Limits, resolve, unknown_variables
from runspan.conventions.observed import KINDS, Kind

OPTIONS = dict(inspect.signature(runspan.instrument).parameters)
DEFAULTS = {
    **{name: option.default for name, option in OPTIONS.items()},
    **dataclasses.asdict(Limits()),
    "console": False,
}
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

# option -> (something else than its default, how the environment spells it)
OTHER: Mapping[str, tuple[Any, str]] = {
    "enabled": (False, "false"),
    "capture_content": (False, "no"),
    "calls": ("all", "ALL"),
    "responses": ("all", "ALL"),
    "background_fetch": (False, "0"),
    "bypass_other_instrumentations": (True, "TRUE"),
    "propagate_in_metadata": (True, "Yes"),
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
    "console": (True, "on"),
    "prices": ({"my-gpt4o": "gpt-4o"}, '{"my-gpt4o": "gpt-4o"}'),
    "backend": ("jaeger", "Jaeger"),
    "file": ("Traces.jsonl", "Traces.jsonl"),
    "max_batch_bytes": (65_536, "65536"),
}


def value_of(config: Config, name: str) -> Any:
    return getattr(config.limits if name in LIMITS else config, name)


def complaint(options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(options, environ or {})
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_every_variable_has_a_sample_in_this_file() -> None:
    assert OTHER.keys() == VARIABLES.keys()


def test_without_anything_the_defaults_hold_and_the_signature_says_them() -> None:
    config = resolve({}, {})
    assert {name: value_of(config, name) for name in DEFAULTS} == DEFAULTS
    assert config == Config()


@pytest.mark.parametrize("name", OTHER)
def test_the_environment_beats_the_default(name: str) -> None:
    value, text = OTHER[name]
    assert value_of(resolve({}, {VARIABLES[name]: f" {text} "}), name) == value


@pytest.mark.parametrize("name", OTHER)
def test_an_option_beats_the_environment(name: str) -> None:
    default = DEFAULTS[name]
    assert value_of(resolve({name: default}, {VARIABLES[name]: OTHER[name][1]}), name) == default


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_limit_beats_its_variable_and_leaves_the_others_to_theirs(name: str) -> None:
    value, other = OTHER[name][0], "max_live_runs" if name != "max_live_runs" else "max_live_bytes"
    environ = {VARIABLES[name]: "20000", VARIABLES[other]: "7"}
    limits = resolve({"limits": Limits(**{name: value})}, environ).limits
    assert limits == Limits(**{name: value, other: 7})


@pytest.mark.parametrize("name", VARIABLES)
def test_an_empty_variable_is_one_that_is_not_set(name: str) -> None:
    assert resolve({}, {VARIABLES[name]: "  "}) == Config()


@pytest.mark.parametrize("frozen", [Config(), Limits()])
def test_the_config_cannot_be_changed_afterwards(frozen: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(frozen, dataclasses.fields(frozen)[0].name, None)


def test_there_are_few_options_and_each_is_a_keyword() -> None:
    assert len(OPTIONS) <= 18
    assert {option.kind for option in OPTIONS.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert OPTIONS.keys() <= {field.name for field in dataclasses.fields(Config)}


@pytest.mark.parametrize("documented", [runspan.instrument, runspan.Limits])
def test_each_parameter_has_a_line_in_the_docstring(documented: Any) -> None:
    text = inspect.getdoc(documented) or ""
    for name in inspect.signature(documented).parameters:
        assert f"\n    {name}: " in text, name


def test_type_checkers_know_every_kind() -> None:
    assert set(get_args(Kind)) == KINDS.keys()


def test_a_default_that_nobody_wrote_does_not_beat_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNSPAN_CALLS", "none")
    try:
        handle = runspan.instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
        assert handle.config.calls == "none"
    finally:
        runspan.uninstrument()


# ---------------------------------------------------------------- the options of 0.1.0

OLD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"fetch": "never"}, {"background_fetch": False}, "background_fetch="),
    ({"fetch": "auto"}, {"background_fetch": True}, "background_fetch="),
    ({"propagate": "metadata"}, {"propagate_in_metadata": True}, "propagate_in_metadata="),
    ({"propagate": "never"}, {"propagate_in_metadata": False}, "propagate_in_metadata="),
    ({"neighbours": "past"}, {"bypass_other_instrumentations": True}, "bypass_other_instrumentations="),
    ({"neighbours": "leave"}, {"bypass_other_instrumentations": False}, "bypass_other_instrumentations="),
    ({"linger_s": 0}, {"limits": Limits(settle_s=0)}, "limits=runspan.Limits(settle_s=...)"),
    (
        {"exit_timeout_s": 9},
        {"limits": Limits(exit_timeout_s=9)},
        "limits=runspan.Limits(exit_timeout_s=...)",
    ),
    ({"cost": False}, {"prices": False}, "prices=False"),
    ({"cost": False, "prices": {"a": "b"}}, {"prices": False}, "prices=False"),
    ({"cost": True, "prices": {"a": "b"}}, {"prices": {"a": "b"}}, "prices=False"),
    ({"threads": False}, {}, "threads= has no effect"),
    ({"content_events": True}, {"capture_content": "spans_and_events"}, '"spans_and_events"'),
    ({"content_events": True, "capture_content": False}, {"capture_content": "events"}, '"events"'),
    *(
        ({name: OTHER[name][0]}, {"limits": Limits(**{name: OTHER[name][0]})}, f"runspan.Limits({name}=...)")
        for name in sorted(LIMITS)
        if name.startswith("max_")
    ),
]


@pytest.mark.parametrize(("old", "new", "advice"), OLD)
def test_an_option_of_0_1_works_and_one_line_says_what_to_write(
    old: dict[str, Any], new: dict[str, Any], advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "runspan"):
        assert resolve(new, {}) == resolve(new, {})
        assert caplog.records == []
        assert resolve(old, {}) == resolve(new, {})
    (line,) = caplog.records
    assert (line.levelname, advice in line.getMessage()) == ("INFO", True)


def test_many_options_of_0_1_are_worth_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "runspan"):
        config = resolve({"fetch": "never", "linger_s": 0, "max_live_runs": 3}, {"RUNSPAN_LINGER_S": "7"})
    assert config == Config(background_fetch=False, limits=Limits(settle_s=0, max_live_runs=3))
    assert len(caplog.records) == 1


OLD_TEXTS = [
    ({"RUNSPAN_FETCH": "Never"}, {"background_fetch": False}),
    ({"RUNSPAN_FETCH": "auto"}, {"background_fetch": True}),
    ({"RUNSPAN_PROPAGATE": "metadata"}, {"propagate_in_metadata": True}),
    ({"RUNSPAN_PROPAGATE": "never"}, {"propagate_in_metadata": False}),
    ({"RUNSPAN_NEIGHBOURS": "past"}, {"bypass_other_instrumentations": True}),
    ({"RUNSPAN_NEIGHBOURS": "leave"}, {"bypass_other_instrumentations": False}),
    ({"RUNSPAN_COST": "off"}, {"prices": False}),
    ({"RUNSPAN_COST": "false", "RUNSPAN_PRICES": '{"a": "b"}'}, {"prices": False}),
    ({"RUNSPAN_COST": "true"}, {}),
    ({"RUNSPAN_PRICES": "False"}, {"prices": False}),
    ({"RUNSPAN_THREADS": "false"}, {}),
    ({"RUNSPAN_JOIN": "never"}, {}),
    ({"RUNSPAN_CAPTURE_CONTENT": "Events"}, {"capture_content": "events"}),
]


@pytest.mark.parametrize(("environ", "same"), OLD_TEXTS)
def test_the_variables_of_0_1_work_under_their_names(
    environ: dict[str, str], same: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "runspan"):
        assert resolve({}, environ) == resolve(same, {})
    assert caplog.records == []


def test_prices_of_the_app_beat_the_variable_that_switches_costs_off() -> None:
    assert resolve({"prices": {"a": "b"}}, {"RUNSPAN_COST": "false"}).prices == {"a": "b"}


@pytest.mark.parametrize(("options", "environ"), [({"join": "alive"}, {}), ({}, {"RUNSPAN_JOIN": "alive"})])
def test_a_removed_option_names_the_cure(options: dict[str, Any], environ: dict[str, str]) -> None:
    message = complaint(options, environ)
    assert "join='alive'" in message
    assert "runspan.handoff()" in message


@pytest.mark.parametrize("name", ["fetch", "propagate", "neighbours", "linger_s", "cost"])
@pytest.mark.parametrize("value", ["sometimes", None, [], {}])
def test_a_wrong_value_of_an_old_option_is_a_config_error(name: str, value: Any) -> None:
    assert f"{name}={value!r}" in complaint({name: value})


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("capture_contents", "capture_content"),
        ("Fetch", "background_fetch"),
        ("background_fetching", "background_fetch"),
        ("services_name", "service_name"),
        ("end_point", "endpoint"),
        ("content", "capture_content"),  # and not `content_events`, a name of 0.1.0
        ("service", "service_name"),
        ("metadata", "propagate_in_metadata"),
    ],
)
def test_an_unknown_option_is_answered_with_the_nearest(given: str, meant: str) -> None:
    message = complaint({given: True})
    assert repr(given) in message
    assert f"Did you mean {meant!r}?" in message


@pytest.mark.parametrize(
    ("given", "limit"),
    [("exit_timeout", "exit_timeout_s"), ("max_live_run", "max_live_runs"), ("linger", "settle_s")],
)
def test_an_unknown_limit_is_answered_with_where_it_stands(given: str, limit: str) -> None:
    assert f"Did you mean limits=runspan.Limits({limit}=...)?" in complaint({given: 1})


def test_all_options_with_the_word_are_named() -> None:
    assert "Did you mean 'meter_provider' or 'tracer_provider'?" in complaint({"provider": 1})


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ("sample_rate", "OTEL_TRACES_SAMPLER"),
        ("environment", "OTEL_RESOURCE_ATTRIBUTES"),
        ("exporter", "tracer_provider="),
        ("api_key", "headers="),
        ("metrics", "meter_provider="),
        ("project", "service_name="),
    ],
)
def test_an_option_of_another_tracer_is_answered_with_what_does_the_same(given: str, cure: str) -> None:
    assert cure in complaint({given: 1})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("RUNSPAN_CONTENT", ["RUNSPAN_CAPTURE_CONTENT"]),
        ("RUNSPAN_CAPTURE_CONTNT", ["RUNSPAN_CAPTURE_CONTENT"]),
        ("RUNSPAN_FIL", ["RUNSPAN_FILE"]),
        ("RUNSPAN_BACKGROUND_FETCH", ["RUNSPAN_FETCH"]),  # the option's name
        ("RUNSPAN_SETTLE_S", ["RUNSPAN_LINGER_S"]),
        ("RUNSPAN_COMMIT", []),
    ],
)
def test_a_variable_that_is_not_read_is_answered_with_the_nearest(given: str, meant: list[str]) -> None:
    read = {"RUNSPAN_FILE": "x", "RUNSPAN_COST": "false", "OTEL_RUNSPAN": "x"}
    assert unknown_variables({**read, given: "x"}) == {given: meant}


def test_every_variable_of_ours_is_known() -> None:
    assert unknown_variables(dict.fromkeys(OURS, "x")) == {}


@pytest.mark.parametrize("given", ["zzz", "direct"])
def test_an_option_like_no_other_is_answered_with_all_of_them(given: str) -> None:
    message = complaint({given: 1})
    assert all(name in message for name in OPTIONS)


WRONG: list[tuple[str, Any, str]] = [
    ("enabled", "yes", "True or False"),
    ("enabled", 1, "True or False"),
    ("capture_content", None, "True or False"),
    ("calls", "some", "'auto', 'all', 'none'"),
    ("calls", None, "'auto', 'all', 'none'"),
    ("calls", ["all"], "'auto', 'all', 'none'"),
    ("calls", {}, "'auto', 'all', 'none'"),
    ("capture_content", "none", "True or False, or one of 'events', 'spans_and_events'"),
    ("background_fetch", "never", "True or False"),
    ("propagate_in_metadata", 1, "True or False"),
    ("limits", {"settle_s": 1}, "runspan.Limits(...)"),
    ("limits", None, "runspan.Limits(...)"),
    ("prices", True, "False"),
    ("prices", "gpt-4o", "False"),
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


@pytest.mark.parametrize(
    ("limits", "cure"),
    [
        (Limits(settle_s=-1), "limits.settle_s=-1: use a number of at least 0."),
        (Limits(max_text_chars=0), "limits.max_text_chars=0: use a whole number of at least 16."),
        (Limits(max_live_runs="many"), "limits.max_live_runs='many': use a whole number"),  # type: ignore[arg-type]
        (Limits(max_live_runs=None), "limits.max_live_runs=None: use a whole number"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_limit_is_named_with_the_cure(limits: Limits, cure: str) -> None:
    assert cure in complaint({"limits": limits})


WRONG_TEXTS: list[tuple[str, str, str]] = [
    ("enabled", "maybe", "true or false"),
    ("capture_content", "2", "true or false"),
    ("calls", "some", "'auto', 'all', 'none'"),
    ("settle_s", "soon", "number"),
    ("settle_s", "nan", "number"),
    ("exit_timeout_s", "inf", "number"),
    ("exit_timeout_s", "-1", "at least 0"),
    ("background_fetch", "maybe", "auto and never of 0.1.0"),
    ("enabled", "never", "true or false"),
    ("prices", "gpt-4o", "JSON"),
    ("prices", "[]", "map names of models"),
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
