"""The OpenTelemetry variables, and the options that beat them, seen from the receiver."""

from __future__ import annotations

import sys
import threading
import time

import pytest

import runspan
from tests.setup.conftest import Run
from tests.support.children import environment, nobody
from tests.support.children import run as run_child
from tests.support.collector import serve_grpc
from tests.support.otlp import runs
from tests.support.receiver import Receiver


def to(receiver: Receiver | str, **more: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver if isinstance(receiver, str) else receiver.endpoint
    } | more


@pytest.mark.parametrize("protocol", [None, "http/protobuf"])
def test_otlp_goes_over_http_unless_told_otherwise(
    protocol: str | None, receiver: Receiver, run: Run
) -> None:
    run(to(receiver, **({"OTEL_EXPORTER_OTLP_PROTOCOL": protocol} if protocol else {})))
    assert [request.path for request in receiver.requests] == ["/v1/traces"]
    assert len(runs(receiver)) == 1


def test_the_traces_endpoint_is_taken_as_it_is(receiver: Receiver, run: Run) -> None:
    with nobody() as other:
        run(to(other, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.endpoint}/v1/traces"))
    assert len(runs(receiver)) == 1


def test_headers_names_and_resource_attributes_arrive(receiver: Receiver, run: Run) -> None:
    run(
        to(
            receiver,
            OTEL_EXPORTER_OTLP_HEADERS="x-tenant=blue,authorization=Bearer%20abc",
            OTEL_SERVICE_NAME="tutor",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test,service.version=7",
        )
    )
    (request,) = receiver.requests
    assert (request.headers["x-tenant"], request.headers["authorization"]) == ("blue", "Bearer abc")
    resource = runs(receiver)[0].resource
    wanted = {"service.name": "tutor", "deployment.environment": "test", "service.version": "7"}
    assert wanted.items() <= resource.items()


def test_options_beat_the_variables(receiver: Receiver, run: Run) -> None:
    with nobody() as other:
        variables = to(other, OTEL_EXPORTER_OTLP_HEADERS="x-tenant=blue", OTEL_SERVICE_NAME="tutor")
        run(variables, endpoint=receiver.endpoint, headers={"x-tenant": "red"}, service_name="other")
    assert [request.headers["x-tenant"] for request in receiver.requests] == ["red"]
    assert runs(receiver)[0].resource["service.name"] == "other"


@pytest.mark.parametrize("tail", ["", "/", "/v1/traces", "/v1/traces/"])
def test_the_endpoint_option_is_a_base_url_or_the_whole(tail: str, receiver: Receiver, run: Run) -> None:
    run({}, endpoint=receiver.endpoint + tail)
    assert [request.path for request in receiver.requests] == ["/v1/traces"]


def test_grpc_by_variable(run: Run) -> None:
    with serve_grpc() as collector:
        run(
            to(
                collector.endpoint,
                OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
                OTEL_EXPORTER_OTLP_HEADERS="x-tenant=blue",
                OTEL_SERVICE_NAME="tutor",
            )
        )
        assert sorted(name.split()[0] for name in collector.names) == ["chat", "invoke_agent"]
        assert collector.resource["service.name"] == "tutor"
        assert collector.metadata[0]["x-tenant"] == "blue"


def test_grpc_with_options(run: Run) -> None:
    with serve_grpc() as collector:
        variables = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
        run(variables, endpoint=collector.endpoint, headers={"x-tenant": "red"})
        assert len(collector.names) == 2
        assert collector.metadata[0]["x-tenant"] == "red"


def test_grpc_takes_header_names_as_people_write_them(run: Run) -> None:
    """gRPC itself refuses names with capitals; a header that works over HTTP must not kill the exporter."""
    with serve_grpc() as collector:
        variables = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
        run(variables, endpoint=collector.endpoint, headers={"Authorization": "Bearer abc"})
        assert len(collector.names) == 2
        assert collector.metadata[0]["authorization"] == "Bearer abc"


def test_the_protocol_of_traces_beats_the_common_one(receiver: Receiver, run: Run) -> None:
    more = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}
    run(to(receiver, **more))
    assert len(runs(receiver)) == 1


def test_none_exports_nothing_and_says_nothing(
    receiver: Receiver, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run(to(receiver, OTEL_TRACES_EXPORTER="none"))
    assert receiver.requests == ()
    assert caplog.records == []


def test_the_console_prints_the_spans_and_several_exporters_work_at_once(receiver: Receiver) -> None:
    script = """
        import runspan
        runspan.instrument(limits=runspan.Limits(exit_timeout_s=20), background_fetch=False)
        from tests.support import app
        app.begin_runs(app.canned_client(), 1)
    """
    variables = environment(to=receiver, OTEL_TRACES_EXPORTER="console, otlp")
    assert '"name": "chat gpt-4o"' in run_child(script, variables).check()
    assert len(runs(receiver)) == 1


@pytest.mark.parametrize(
    ("variables", "cure"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, ("'jaeger'", "otlp", "console", "none")),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, ("'http/json'", "http/protobuf", "grpc")),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "udp"},
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "'udp'", "grpc"),
        ),
    ],
)
def test_an_exporter_that_nobody_knows_fails_at_start_with_the_cure(
    variables: dict[str, str], cure: tuple[str, ...], run: Run
) -> None:
    before = list(sys.meta_path)
    with pytest.raises(runspan.ConfigError) as caught:
        run(variables)
    assert all(part in str(caught.value) for part in cure)
    assert "\n" not in str(caught.value)
    assert sys.meta_path == before


def test_the_sdk_switched_off_switches_us_off(receiver: Receiver, run: Run) -> None:
    run(to(receiver, OTEL_SDK_DISABLED="true"))
    assert receiver.requests == ()


@pytest.mark.parametrize(
    ("sampler", "spans"), [("always_off", 0), ("always_on", 2), ("parentbased_always_on", 2)]
)
def test_the_sampler_of_the_variables_is_used(sampler: str, spans: int, receiver: Receiver, run: Run) -> None:
    run(to(receiver, OTEL_TRACES_SAMPLER=sampler))
    assert len(receiver.spans) == spans


def test_one_line_at_start_says_where_traces_go(
    receiver: Receiver, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "runspan")
    run(to(receiver))
    (line,) = [record.getMessage() for record in caplog.records]
    assert f"127.0.0.1:{receiver.port}" in line
    assert "content on" in line
    assert "fetch off" in line


def test_headers_are_in_no_log_line(receiver: Receiver, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "runspan")
    receiver.answer_with(401)
    run(to(receiver, OTEL_EXPORTER_OTLP_HEADERS="x-key=secret-1"), headers={"x-other": "secret-2"})
    assert caplog.records
    assert not [r for r in caplog.records if "secret" in r.getMessage()]


def test_after_uninstrument_nothing_of_ours_runs_any_more(receiver: Receiver, run: Run) -> None:
    """Reloading servers and notebooks instrument again and again."""
    before = set(threading.enumerate())
    for _ in range(3):
        run(to(receiver))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and set(threading.enumerate()) - before:
        time.sleep(0.01)
    assert set(threading.enumerate()) - before == set()
    assert len(runs(receiver)) == 3
