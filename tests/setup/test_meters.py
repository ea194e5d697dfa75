"""Where metrics go: the app's MeterProvider, else ours if the variables ask for one, else nowhere. In processes of their own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider

import runspan
from runspan.config import Config, ConfigError
from runspan.exporting import sending
from runspan.fake import Server, serve
from runspan.meters import Meters
from tests.support.children import black_hole, environment, nobody, run
from tests.support.otlp import run_ids
from tests.support.receiver import Receiver
from tests.support.redirecting import redirecting

from .conftest import settle

STATUS = "runspan.run.status"
OTLP = {"OTEL_METRICS_EXPORTER": "otlp"}

GLOBAL = """
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    theirs = InMemoryMetricReader()
    provider = MeterProvider([theirs], shutdown_on_exit=False)
"""
SET = "    metrics.set_meter_provider(provider)\n"
START = "    import runspan\n    runspan.instrument(exit_timeout_s=20)\n"
USE = "    from tests.support import app\n    app.whole_run(app.client())\n"
END = """
    runspan.uninstrument()
    data = theirs.get_metrics_data()
    found = [m.name for r in (data.resource_metrics if data else []) for s in r.scope_metrics for m in s.metrics]
    print(found.count("runspan.runs"))
"""
WHOLE = START + USE
# The SDK's, where a reader of a short interval ticks before its provider has taken it: on a busy machine 50 ms are short.
TOO_SOON = "Cannot call collect on a MetricReader until it is registered on a MeterProvider\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("text") as server:
        yield server


def paths(receiver: Receiver) -> list[str]:
    return sorted({request.path for request in receiver.requests})


def statuses(receiver: Receiver) -> list[tuple[Any, Any]]:
    """(status, count) of the last export of each process."""
    last: dict[Any, tuple[Any, ...]] = {}
    for metric in receiver.metrics:
        if metric.name == "runspan.runs":
            last[metric.resource["service.instance.id"]] = metric.points
    return sorted((p.attributes[STATUS], p.value) for points in last.values() for p in points)


# ---------------------------------------------------------------- which provider


@pytest.mark.parametrize("script", [GLOBAL + SET + START, START + GLOBAL + SET], ids=["before", "after"])
@pytest.mark.parametrize("variables", [{}, OTLP], ids=["", "otlp"])
def test_the_apps_global_provider_gets_the_metrics_whenever_it_was_set(
    script: str, variables: Mapping[str, str], server: Server, receiver: Receiver
) -> None:
    assert run(script + USE + END, environment(server, receiver, **variables)).check() == "1\n"
    assert paths(receiver) == ["/v1/traces"]


def test_a_provider_of_the_option_beats_the_global_one(server: Server, receiver: Receiver) -> None:
    script = GLOBAL + "    import runspan\n    runspan.instrument(meter_provider=provider)\n"
    other = "    metrics.set_meter_provider(MeterProvider())\n"
    assert run(script + other + USE + END, environment(server, receiver)).check() == "1\n"


def test_a_provider_of_the_app_that_closes_at_exit_has_everything_before(
    server: Server, receiver: Receiver
) -> None:
    """Exit hooks run last-registered first: ours has to come before its."""
    script = """
        import runspan
        runspan.instrument(exit_timeout_s=20, linger_s=600)
        from opentelemetry import metrics
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
        from tests.support import app
        app.whole_run(app.client())
    """
    run(script, environment(server, receiver)).check()
    assert statuses(receiver) == [("completed", 1)]


def test_nothing_is_sent_where_nothing_asks_for_metrics(server: Server, receiver: Receiver) -> None:
    """Jaeger, Langfuse and Phoenix take traces alone."""
    variables = environment(server, receiver)
    del variables["OTEL_METRICS_EXPORTER"]
    run(WHOLE, variables).check()
    assert paths(receiver) == ["/v1/traces"]


# ---------------------------------------------------------------- ours


@pytest.mark.parametrize("name", ["otlp", "none,otlp"])
def test_ours_goes_where_the_variables_say_and_is_complete_at_exit(
    name: str, server: Server, receiver: Receiver
) -> None:
    variables = {"OTEL_METRICS_EXPORTER": name, "OTEL_SERVICE_NAME": "tutor"}
    run(WHOLE, environment(server, receiver, **variables)).check()
    assert paths(receiver) == ["/v1/metrics", "/v1/traces"]
    assert statuses(receiver) == [("completed", 1)]
    names = {metric.name for metric in receiver.metrics}
    assert {"gen_ai.client.operation.duration", "gen_ai.client.token.usage", "runspan.dropped"} <= names
    assert {m.resource["service.name"] for m in receiver.metrics} == {"tutor"}
    assert {m.scope for m in receiver.metrics} == {"runspan"}


def test_an_endpoint_of_the_metrics_own_asks_for_them_and_gets_no_header_of_the_option(
    server: Server, receiver: Receiver
) -> None:
    with nobody() as other:
        variables = {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.endpoint}/v1/metrics",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "0.1",  # the flush waits for all tries
        }
        env = environment(server, other, **variables)
        del env["OTEL_METRICS_EXPORTER"]
        script = """
            import runspan
            runspan.instrument(exit_timeout_s=20, headers={"authorization": "secret of the traces"})
            from tests.support import app
            app.whole_run(app.client())
            print(runspan.flush(20))
        """
        run(script, env)
    assert paths(receiver) == ["/v1/metrics"]
    assert statuses(receiver) == [("completed", 1)]
    assert not [r for r in receiver.requests if "authorization" in r.headers]


@pytest.mark.parametrize("tail", ["", "/", "/v1/traces"])
def test_the_endpoint_option_is_for_both(tail: str, server: Server, receiver: Receiver) -> None:
    script = f"""
        import runspan
        runspan.instrument(endpoint="{receiver.endpoint}{tail}", headers={{"X-Tenant": "red"}}, exit_timeout_s=20)
        from tests.support import app
        app.whole_run(app.client())
    """
    run(script, environment(server, **OTLP)).check()
    assert paths(receiver) == ["/v1/metrics", "/v1/traces"]
    assert {r.headers.get("x-tenant") for r in receiver.requests} == {"red"}


def test_flush_has_the_metrics_delivered(server: Server, receiver: Receiver) -> None:
    script = WHOLE + "    print(runspan.flush(20))\n    import os; os._exit(0)\n"
    assert run(script, environment(server, receiver, **OTLP)).check() == "True\n"
    assert statuses(receiver) == [("completed", 1)]


def test_set_global_makes_ours_the_one_of_the_app(server: Server, receiver: Receiver) -> None:
    script = """
        import runspan
        runspan.instrument(set_global=True, exit_timeout_s=20)
        from opentelemetry import metrics
        metrics.get_meter("app").create_counter("of.the.app").add(3)
        from tests.support import app
        app.whole_run(app.client())
    """
    run(script, environment(server, receiver, **OTLP)).check()
    assert [m.points[0].value for m in receiver.metrics if m.name == "of.the.app"][-1] == 3
    assert statuses(receiver) == [("completed", 1)]


def test_instrumented_again_after_uninstrument_a_new_one_of_ours_is_made(
    server: Server, receiver: Receiver
) -> None:
    script = """
        import runspan
        from tests.support import app
        with app.client() as client:
            for _ in range(2):
                runspan.instrument(exit_timeout_s=20)
                app.whole_run(client)
                runspan.uninstrument()
    """
    run(script, environment(server, receiver, **OTLP)).check()
    assert statuses(receiver) == [("completed", 1), ("completed", 1)]


# ---------------------------------------------------------------- trouble


def test_an_address_that_refuses_is_said_once_and_costs_no_deadline(
    server: Server, receiver: Receiver
) -> None:
    with nobody() as endpoint:
        variables = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{endpoint}/v1/metrics"}
        script = """
            import time
            import runspan
            runspan.instrument(exit_timeout_s=60)
            from tests.support import app
            app.whole_run(app.client())
            print(runspan.flush(60), runspan.flush(60))
            print(time.monotonic())
        """
        ended = run(script, environment(server, receiver, **OTLP, **variables))
    assert ended.code == 0
    assert ended.out.splitlines()[0] == "False False"
    assert ended.err.count("cannot send metrics") == 1
    assert "Traceback" not in ended.err
    assert len(run_ids(receiver)) == 1
    assert ended.exit_seconds() < 20


def test_exporters_beside_one_that_is_refused_are_flushed(server: Server) -> None:
    script = WHOLE + "    print(runspan.flush(20))\n    import os; os._exit(0)\n"
    with nobody() as endpoint:
        variables = {"OTEL_METRICS_EXPORTER": "otlp,console"}
        said = run(script, environment(server, endpoint, **variables)).out.splitlines()
    assert said[-1] == "False"
    assert [line for line in said if '"runspan.runs"' in line]


def test_metrics_have_the_whole_deadline_where_only_the_traces_are_refused(
    server: Server, receiver: Receiver
) -> None:
    receiver.answer_with(503, retry_after_s=1, times=1)
    with nobody() as endpoint:
        variables = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.endpoint}/v1/metrics"}
        ended = run(WHOLE, environment(server, endpoint, **OTLP, **variables))
    assert (ended.code, ended.err.count("cannot send")) == (0, 1)
    assert statuses(receiver) == [("completed", 1)]


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_no_delivery_and_is_not_followed(
    status: int, server: Server, receiver: Receiver
) -> None:
    with redirecting(status, f"{receiver.endpoint}/v1/metrics") as endpoint:
        variables = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{endpoint}/v1/metrics"}
        script = WHOLE + "    print(runspan.flush(60))\n"
        ended = run(script, environment(server, receiver, **OTLP, **variables))
    assert (ended.code, ended.out) == (0, "False\n")
    assert ended.err.count("cannot send metrics") == 1
    assert paths(receiver) == ["/v1/traces"]


def test_nothing_of_ours_tries_on_after_the_end_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def get(timeout: float) -> None:
        pauses.append(timeout)

    before = set(threading.enumerate())
    monkeypatch.setattr(sending, "queue_of_now", lambda held: SimpleNamespace(get=get, put=lambda _: None))
    with nobody() as endpoint:
        for name, value in OTLP.items():
            monkeypatch.setenv(name, value)
        handle = runspan.instrument(endpoint=endpoint)
        with runspan.span("work"):
            pass
        handle._meters.current().get_meter("test").create_counter("runs").add(1)
        assert not runspan.uninstrument()
        settle()
    assert (pauses, set(threading.enumerate())) == ([], before)


def test_a_black_hole_holds_the_exit_no_longer_than_the_deadline(server: Server, receiver: Receiver) -> None:
    with black_hole() as endpoint:
        variables = {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{endpoint}/v1/metrics",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "1",
        }
        script = """
            import time
            import runspan
            runspan.instrument(exit_timeout_s=1)
            from tests.support import app
            app.whole_run(app.client())
            print(runspan.flush(60))
            print(time.monotonic())
        """
        ended = run(script, environment(server, receiver, **OTLP, **variables))
    assert (ended.code, "Traceback" in ended.err) == (0, False)
    assert ended.out.splitlines()[0] == "False"
    assert ended.exit_seconds() < 8
    assert len(run_ids(receiver)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
def test_a_forked_child_sends_its_own_counts_and_never_its_parents(
    server: Server, receiver: Receiver
) -> None:
    script = """
        import os
        import runspan
        runspan.instrument(exit_timeout_s=20)
        from tests.support import app
        app.whole_run(app.client())
        assert runspan.flush(20)
        if os.fork() == 0:
            for _ in range(2):
                app.whole_run(app.client())
        else:
            os.wait()
    """
    env = environment(server, receiver, **OTLP, OTEL_METRIC_EXPORT_INTERVAL="50")
    ended = run(script, env)
    assert (ended.code, ended.err.replace(TOO_SOON, "")) == (0, "")
    assert statuses(receiver) == [("completed", 1), ("completed", 2)]


@pytest.mark.parametrize(
    ("variables", "cure"),
    [
        (
            {"OTEL_METRICS_EXPORTER": "graphite"},
            "No exporter 'graphite' is installed. OTEL_METRICS_EXPORTER can be",
        ),
        ({**OTLP, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json"}, "use http/protobuf or grpc"),
        ({**OTLP, "OTEL_METRIC_EXPORT_INTERVAL": "0"}, "OTEL_METRIC_EXPORT_INTERVAL='0': write milliseconds"),
    ],
)
def test_what_is_wrong_is_said_at_the_start_with_the_cure(
    variables: Mapping[str, str], cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        runspan.instrument()
    assert cure in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "options", "said"),
    [
        ({}, {}, "off"),
        ({"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://h:1"}, {}, "off"),
        (OTLP, {}, "localhost:4318"),
        (OTLP, {"endpoint": "https://user:key@collector:9/otlp"}, "collector:9"),
        ({**OTLP, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}, {}, "localhost:4317"),
        ({"OTEL_METRICS_EXPORTER": "console"}, {}, "console"),
        (OTLP, {"meter_provider": MeterProvider(shutdown_on_exit=False)}, "the app's MeterProvider"),
    ],
)
def test_the_line_at_start_says_where_metrics_go(
    variables: Mapping[str, str], options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
    meters = Meters(Config(**options), lambda: None)
    meters.open()
    described = meters.describe()
    meters.close()
    assert described == said
