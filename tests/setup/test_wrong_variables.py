"""Every variable of OpenTelemetry that we go by is tried at `instrument()`: what is wrong is named there, with the cure."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

import runspan
from tests.setup.conftest import settle
from tests.support.children import environment
from tests.support.children import run as run_child

SECRET = "hunter2"
NUMBERS = ("abc", "-1", "nan", "inf", "1e300", "5 s")
ZERO = ("0",)
WHOLES = ("abc", "-1", "1.5", "nan", "10000000000000000000000", "1k")
LIMITS = ("abc", "-1", "1.5", "none", "99999999999999999999")
URLS = (
    "localhost:4318",
    "http://",
    "http://:4318",
    "http://h:99999",
    "ftp://h",
    "http://h:port",
    "http://[::1",
    "http://a b",
    "http://a..b",
    f"http://{'a' * 64}.b",
)
FILES = ("/no/such/file", "/", "/dev/null")
METRICS = {"OTEL_METRICS_EXPORTER": "otlp"}
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}

# Variable, values that are wrong, what else is set.
WRONG: tuple[tuple[str, tuple[str, ...], Mapping[str, str]], ...] = (
    ("OTEL_BSP_SCHEDULE_DELAY", (*NUMBERS, *ZERO), {}),
    ("OTEL_BSP_MAX_QUEUE_SIZE", (*WHOLES, *ZERO), {}),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", (*WHOLES, *ZERO, "4096"), {}),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", ("257",), {"OTEL_BSP_MAX_QUEUE_SIZE": "256"}),
    ("OTEL_BSP_EXPORT_TIMEOUT", NUMBERS, {}),
    *(
        (f"OTEL_{name}_LIMIT", LIMITS, {})
        for name in (
            "ATTRIBUTE_COUNT",
            "ATTRIBUTE_VALUE_LENGTH",
            "SPAN_ATTRIBUTE_COUNT",
            "SPAN_ATTRIBUTE_VALUE_LENGTH",
            "SPAN_EVENT_COUNT",
            "SPAN_LINK_COUNT",
            "EVENT_ATTRIBUTE_COUNT",
            "LINK_ATTRIBUTE_COUNT",
        )
    ),
    ("OTEL_TRACES_SAMPLER", ("sometimes", "always on", "1"), {}),
    (
        "OTEL_TRACES_SAMPLER_ARG",
        ("abc", "-0.1", "1.1", "nan", "50%"),
        {"OTEL_TRACES_SAMPLER": "traceidratio"},
    ),
    ("OTEL_TRACES_SAMPLER_ARG", ("2",), {"OTEL_TRACES_SAMPLER": "ParentBased_TraceIdRatio"}),
    ("OTEL_RESOURCE_ATTRIBUTES", ("production", "a=1,production", "=x"), {}),
    ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", ("otel,nosuch",), {}),
    ("OTEL_TRACES_EXPORTER", ("jaeger", "otlp,nosuch"), {}),
    ("OTEL_METRICS_EXPORTER", ("statsd",), {}),
    *(
        (f"OTEL_EXPORTER_OTLP_{signal}{name}", values, {**more, **also})
        for signal, more in (("", {}), ("TRACES_", {}), ("METRICS_", METRICS))
        for name, values, also in (
            ("ENDPOINT", URLS, {}),
            ("ENDPOINT", ("http://", "http://h:99999", "ftp://h", "h:99999", "h/p"), GRPC),
            ("PROTOCOL", ("http/json", "GRPCS", "http"), {}),
            ("TIMEOUT", (*NUMBERS, *ZERO, "10s"), {}),
            ("COMPRESSION", ("zstd", "gzip,deflate"), {}),
            ("COMPRESSION", ("zstd",), GRPC),
            ("HEADERS", (SECRET, f"a=1,{SECRET}", f"a b={SECRET}", f"={SECRET}", f"a={SECRET}%0Ab"), {}),
            ("HEADERS", (f"a=%E9%8D%B5{SECRET}", f"a={SECRET}%01"), {}),
            ("HEADERS", (f"a={SECRET}ü", f"a={SECRET}%09b", f"a-bin={SECRET}", f"a!={SECRET}"), GRPC),
            ("CERTIFICATE", (FILES[0], FILES[2]), {}),
            ("CERTIFICATE", (FILES[0],), GRPC),
            ("CLIENT_CERTIFICATE", FILES, {}),
            ("CLIENT_KEY", (f"/no/{SECRET}",), {}),
            ("INSECURE", ("yes", "1"), GRPC),
        )
    ),
    *(
        (f"OTEL_PYTHON_EXPORTER_OTLP_{over}{signal}_CREDENTIAL_PROVIDER", (SECRET,), more)
        for over, more in (("HTTP", {}), ("GRPC", GRPC))
        for signal in ("", "_TRACES")
    ),
    ("OTEL_METRIC_EXPORT_INTERVAL", (*NUMBERS, *ZERO), METRICS),
    ("OTEL_METRIC_EXPORT_TIMEOUT", (*NUMBERS, *ZERO), METRICS),
    ("OTEL_METRICS_EXEMPLAR_FILTER", ("sometimes",), METRICS),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ("weekly",), METRICS),
    ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", ("buckets",), METRICS),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", ("abc", "-1"), {"OTEL_METRICS_EXPORTER": "prometheus"}),
)

RIGHT: tuple[tuple[str, tuple[str, ...], Mapping[str, str]], ...] = (
    ("OTEL_BSP_SCHEDULE_DELAY", ("1", " 200 ", "1.5", "1e3"), {}),
    ("OTEL_BSP_MAX_QUEUE_SIZE", ("1", "256", "+7", "100000"), {}),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", ("1", "2048"), {}),
    ("OTEL_BSP_EXPORT_TIMEOUT", ("0", "30000"), {}),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", ("128", "unset", "UNSET", "1000000"), {}),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", ("0", "4096", "unset"), {}),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", ("0", "unset"), {}),
    ("OTEL_TRACES_SAMPLER", ("always_on", "ALWAYS_OFF", "parentbased_always_off", " traceidratio "), {}),
    ("OTEL_TRACES_SAMPLER_ARG", ("0", "1", "1.0", ".5", "1e-3"), {"OTEL_TRACES_SAMPLER": "traceidratio"}),
    ("OTEL_TRACES_SAMPLER_ARG", ("for another sampler",), {"OTEL_TRACES_SAMPLER": "always_on"}),
    ("OTEL_RESOURCE_ATTRIBUTES", ("a=1", "a=1,", "a=", "a=b=c", "a = 1 , b=%2C", "service.name=ü"), {}),
    ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", ("otel", "*", "process , otel"), {}),
    ("OTEL_TRACES_EXPORTER", ("none", "otlp", " otlp , console ", "otlp_proto_http"), {}),
    ("OTEL_METRICS_EXPORTER", ("none", "none,"), {}),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        ("http://127.0.0.1:1", "https://user:key@h/p/", "http://[::1]:4318", "HTTP://h"),
        {},
    ),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", ("127.0.0.1:1", "h", "https://h:4317/", "[::1]:4317"), GRPC),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", ("grpc", "http/protobuf", "GRPC"), {}),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", ("1", "0.5", "10"), {}),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", ("gzip", "none", "deflate", "GZIP"), {}),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", ("gzip", "none"), GRPC),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        ("a=1", "a=1,", "A-b = c d ", "a=Basic%20eA==", "a=", "a=%C3%BC", "a!=1"),
        {},
    ),
    ("OTEL_EXPORTER_OTLP_HEADERS", ("a=1", "A.b_c-d=e f ", "a="), GRPC),
    ("OTEL_EXPORTER_OTLP_INSECURE", ("true", "False"), GRPC),
    ("OTEL_METRIC_EXPORT_INTERVAL", ("60000", "1.5"), METRICS),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ("delta", "LowMemory"), METRICS),
)


def rows(table: tuple[tuple[str, tuple[str, ...], Mapping[str, str]], ...]) -> Iterator[object]:
    for name, values, more in table:
        for value in values:
            yield pytest.param(name, value, more, id="-".join((name, value, *more.values())))


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    settle()
    yield
    runspan.uninstrument()


@pytest.mark.parametrize(("name", "value", "more"), list(rows(WRONG)))
def test_a_wrong_value_is_named_with_the_cure(
    name: str, value: str, more: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, text in {**more, name: value}.items():
        monkeypatch.setenv(variable, text)
    before = threading.enumerate()
    with pytest.raises(runspan.ConfigError) as caught:
        runspan.instrument()
    said = str(caught.value)
    assert name in said or "EXPORTER" in name, said
    assert SECRET not in said or "CREDENTIAL" in name
    assert value in said or SECRET in value or "otlp," in value or "otel," in value, said
    assert "\n" not in said
    assert len(said) > len(f"{name}={value!r}: .")  # the cure
    assert runspan.current_handle() is None
    assert threading.enumerate() == before


@pytest.mark.parametrize(("name", "value", "more"), list(rows(RIGHT)))
def test_a_good_or_odd_value_is_taken(
    name: str, value: str, more: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, text in {**more, name: value}.items():
        monkeypatch.setenv(variable, text)
    handle = runspan.instrument(exit_timeout_s=0)
    assert runspan.current_handle() is handle


@pytest.mark.parametrize("name", sorted({name for name, _, _ in WRONG}))
def test_an_empty_variable_is_one_that_is_not_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    monkeypatch.setenv(name, " ")
    runspan.instrument(exit_timeout_s=0)


@pytest.mark.parametrize(("name", "value", "more"), list(rows(WRONG))[::20])
def test_what_does_not_matter_is_not_read(
    name: str, value: str, more: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To an app that brings its own provider, or that is not traced."""
    if "METRIC" in name or more is METRICS:
        return
    for variable, text in {**more, name: value}.items():
        monkeypatch.setenv(variable, text)
    runspan.instrument(enabled=False)
    if "LIMIT" not in name:
        provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
        runspan.instrument(tracer_provider=provider, exit_timeout_s=0)


@pytest.mark.parametrize("more", [{}, GRPC])
@pytest.mark.parametrize("header", [{"a b": "1"}, {"": "1"}, {"a": "1\nb: 2"}, {"a": "鍵"}])
def test_a_header_that_cannot_be_sent_is_refused(
    header: Mapping[str, str], more: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, text in more.items():
        monkeypatch.setenv(variable, text)
    with pytest.raises(runspan.ConfigError, match=r"^headers=\.\.\.: .* can't send the header '"):
        runspan.instrument(endpoint="http://127.0.0.1:1", headers={"x-key": SECRET, **header})
    assert runspan.current_handle() is None


@pytest.mark.parametrize("signal", ["TRACER", "METER", "LOGGER"])
@pytest.mark.parametrize("value", ["none_of_that_name", ""])
def test_a_provider_that_the_api_cannot_make_is_named(value: str, signal: str) -> None:
    name = f"OTEL_PYTHON_{signal}_PROVIDER"
    script = """
        import runspan
        try:
            runspan.instrument()
        except runspan.ConfigError as error:
            print(error)
    """
    done = run_child(script, env=environment(**{name: value}))
    assert done.out.startswith(f"{name}={value!r}: no installed package has a provider of that name"), done


@pytest.mark.parametrize("value", ["abc", "", "-1"])
def test_one_that_the_sdk_reads_when_imported_is_named_at_instrument_too(value: str) -> None:
    script = f"""
        import runspan

        @runspan.observe
        def plain(): return 1

        assert plain() == 1
        try:
            runspan.instrument(exit_timeout_s=0)
        except runspan.ConfigError as error:
            print(error)
        assert plain() == 1
        import os
        assert os.environ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"] == {value!r}
    """
    ended = run_child(script, environment(OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=value, OTEL_TRACES_EXPORTER="none"))
    said = (
        f"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT={value!r}: write a whole number, 0 or more, or unset.\n"
        if value
        else ""
    )
    assert (ended.code, ended.out, ended.err) == (0, said, "")


def test_a_limit_below_what_a_run_needs_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "8")
    runspan.instrument(exit_timeout_s=0)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT" in line
    assert "8 attributes" in line


def test_certificates_that_can_be_read_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    )
    subprocess.run(
        [*made, "-subj", "/CN=test", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True,
        capture_output=True,
    )
    both = tmp_path / "both.pem"
    both.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    for protocol in ("grpc", "http/protobuf"):
        for names in (
            {"CERTIFICATE": "cert.pem", "CLIENT_CERTIFICATE": "cert.pem", "CLIENT_KEY": "key.pem"},
            {"CLIENT_CERTIFICATE": "both.pem"},
        ):
            with monkeypatch.context() as patch:
                patch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                for name, file in names.items():
                    patch.setenv(f"OTEL_EXPORTER_OTLP_{name}", str(tmp_path / file))
                runspan.instrument(exit_timeout_s=0)
                runspan.uninstrument()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(tmp_path / "cert.pem"))
    with pytest.raises(runspan.ConfigError, match="OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"):
        runspan.instrument()


def test_a_misspelled_variable_is_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With it, an app believes that its texts stay."""
    monkeypatch.setenv("RUNSPAN_CONTENT", "false")
    monkeypatch.setenv("RUNSPAN_COMMIT", "4f3c0a7")  # of the app
    assert runspan.instrument(tracer_provider=TracerProvider()).config.capture_content
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "runspan: RUNSPAN_CONTENT is not a variable of runspan and has no effect. Did you mean RUNSPAN_CAPTURE_CONTENT?"
    ]


def test_who_turns_tracing_off_reads_nothing_of_variables(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RUNSPAN_CONTENT", "false")
    runspan.instrument(enabled=False)
    assert caplog.text == ""
