"""`backend=` from the variables to the receiver."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import runspan
from tests.setup.conftest import Run
from tests.support.app import begin_runs, canned_client
from tests.support.children import environment, nobody
from tests.support.children import run as run_child
from tests.support.collector import serve_grpc
from tests.support.otlp import generations, runs
from tests.support.receiver import Receiver


def langfuse(receiver: Receiver) -> dict[str, str]:
    keys = {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "secret-1"}
    return {"LANGFUSE_HOST": f"{receiver.endpoint}/", **keys}


def mlflow(receiver: Receiver) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": receiver.endpoint, "MLFLOW_EXPERIMENT_ID": "3"}


@pytest.mark.parametrize("how", ["option", "variable"])
def test_langfuse_by_its_own_variables(how: str, receiver: Receiver, run: Run) -> None:
    variables = langfuse(receiver)
    if how == "option":
        run(variables, backend="langfuse")
    else:
        run({**variables, "RUNSPAN_BACKEND": "Langfuse"})
    (request,) = receiver.requests
    assert request.path == "/api/public/otel/v1/traces"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"pk-lf-1:secret-1").decode()


def test_phoenix_by_its_own_variables(receiver: Receiver, run: Run) -> None:
    endpoint = {"PHOENIX_COLLECTOR_ENDPOINT": receiver.endpoint}
    run({**endpoint, "PHOENIX_API_KEY": "k", "PHOENIX_PROJECT_NAME": "tutor"}, backend="phoenix")
    (request,) = receiver.requests
    assert (request.path, request.headers["authorization"]) == ("/v1/traces", "Bearer k")
    assert runs(receiver)[0].resource["openinference.project.name"] == "tutor"


def test_phoenix_over_grpc(run: Run) -> None:
    with serve_grpc() as collector:
        endpoint = {"PHOENIX_COLLECTOR_ENDPOINT": collector.endpoint, "PHOENIX_PROJECT_NAME": "tutor"}
        run({**endpoint, "PHOENIX_API_KEY": "k", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, backend="phoenix")
        assert len(collector.names) == 2
        assert collector.metadata[0]["authorization"] == "Bearer k"
        assert collector.resource["openinference.project.name"] == "tutor"


def test_mlflow_by_its_own_variables(receiver: Receiver, run: Run) -> None:
    run(mlflow(receiver), backend="mlflow")
    (request,) = receiver.requests
    assert (request.path, request.headers["x-mlflow-experiment-id"]) == ("/v1/traces", "3")
    assert generations(receiver)[0].attributes["mlflow.spanType"] == "CHAT_MODEL"


def test_who_takes_http_only_gets_http_whatever_the_protocol_is_elsewhere(
    receiver: Receiver, run: Run
) -> None:
    run({**mlflow(receiver), "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, backend="mlflow")
    assert len(runs(receiver)) == 1


@pytest.mark.parametrize("backend", ["jaeger", "tempo", "collector"])
def test_a_backend_without_variables_goes_by_those_of_otel(
    backend: str, receiver: Receiver, run: Run
) -> None:
    run({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "RUNSPAN_BACKEND": backend})
    assert len(runs(receiver)) == 1


# ---------------------------------------------------------------- what beats what


def test_the_backend_beats_the_endpoint_of_otel(receiver: Receiver, run: Run) -> None:
    with nobody() as elsewhere:
        run({**mlflow(receiver), "OTEL_EXPORTER_OTLP_ENDPOINT": elsewhere}, backend="mlflow")
    assert len(runs(receiver)) == 1


def test_headers_for_that_endpoint_do_not_go_to_the_backend(receiver: Receiver, run: Run) -> None:
    """They may be the keys of somebody else's house."""
    variables = {"OTEL_EXPORTER_OTLP_HEADERS": "x-foreign=secret,authorization=Bearer%20secret"}
    run({**variables, "PHOENIX_COLLECTOR_ENDPOINT": receiver.endpoint}, backend="phoenix")
    (request,) = receiver.requests
    assert not {"x-foreign", "authorization"} & request.headers.keys()


def test_nor_over_grpc(run: Run) -> None:
    with serve_grpc() as collector:
        variables = {
            "OTEL_EXPORTER_OTLP_HEADERS": "x-foreign=secret",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "PHOENIX_COLLECTOR_ENDPOINT": collector.endpoint,
        }
        run(variables, backend="phoenix")
        assert len(collector.names) == 2
        assert "x-foreign" not in collector.metadata[0]


def test_netrc_replaces_no_key(
    receiver: Receiver, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would take what stands there for the host over the header that was asked for."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    monkeypatch.setenv("NETRC", str(netrc))
    run({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}, headers={"authorization": "Bearer mine"})
    assert [request.headers["authorization"] for request in receiver.requests] == ["Bearer mine"]


def test_the_endpoint_option_leaves_only_the_attributes_of_the_preset(receiver: Receiver, run: Run) -> None:
    """Through a Collector: it has the keys, and they stay out of the app."""
    run({"LANGFUSE_SECRET_KEY": "secret"}, backend="langfuse", endpoint=receiver.endpoint)
    (request,) = receiver.requests
    assert request.path == "/v1/traces"
    assert "authorization" not in request.headers
    assert generations(receiver)[0].attributes["langfuse.observation.type"] == "generation"


def test_the_headers_option_adds_to_those_of_the_preset_and_beats_them(receiver: Receiver, run: Run) -> None:
    run(langfuse(receiver), backend="langfuse", headers={"Authorization": "Basic other", "x-more": "1"})
    (request,) = receiver.requests
    assert (request.headers["authorization"], request.headers["x-more"]) == ("Basic other", "1")
    assert request.headers["x-langfuse-ingestion-version"] == "4"


def test_a_provider_of_the_app_gets_the_attributes_and_needs_no_variables(run: Run) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    run({}, backend="mlflow", tracer_provider=provider)
    kinds = [(span.attributes or {}).get("mlflow.spanType") for span in exporter.get_finished_spans()]
    assert sorted(map(str, kinds)) == ["AGENT", "CHAT_MODEL"]


def test_a_global_provider_of_the_app_too(receiver: Receiver) -> None:
    script = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
        import runspan
        print(runspan.instrument().config.backend)
    """
    assert run_child(script, environment(RUNSPAN_BACKEND="langfuse")).check() == "langfuse\n"


# ---------------------------------------------------------------- what is wrong, and what must not be seen


def test_a_missing_key_stops_at_start_with_the_cure(run: Run) -> None:
    with pytest.raises(runspan.ConfigError, match="LANGFUSE_SECRET_KEY"):
        run({"LANGFUSE_PUBLIC_KEY": "pk"}, backend="langfuse")


def test_keys_are_in_no_log_line_and_no_repr(
    receiver: Receiver, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    receiver.answer_with(401)
    run(langfuse(receiver), backend="langfuse", headers={"x-key": "secret-2"})
    assert caplog.records
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "It answered 404" in warning  # the receiver has no such path
    assert "LANGFUSE_SECRET_KEY" in warning
    coded = base64.b64encode(b"pk-lf-1:secret-1").decode()
    assert not [r for r in caplog.records if "secret" in r.getMessage() or coded in r.getMessage()]


def test_keys_do_not_show_in_the_handle(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in langfuse(receiver).items():
        monkeypatch.setenv(name, value)
    handle = runspan.instrument(backend="langfuse")
    try:
        assert "secret-1" not in repr(handle) + repr(handle.config) + repr(vars(handle))
    finally:
        runspan.uninstrument()


# ---------------------------------------------------------------- trace_url


def test_the_url_of_what_is_current_and_of_a_run(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", receiver.endpoint)
    assert runspan.trace_url() is None
    runspan.instrument(backend="phoenix", fetch="never", exit_timeout_s=20)
    try:
        assert runspan.trace_url() is None
        with runspan.span("turn"):
            inside = runspan.trace_url()
            begin_runs(canned_client(), 1)
            assert runspan.trace_url("run_1") == inside  # while it lives
        assert inside is not None
        runspan.flush(20)
        assert runspan.trace_url("run_99") is None
    finally:
        runspan.uninstrument()
    assert {f"{receiver.endpoint}/redirects/traces/{span.trace_id}" for span in receiver.spans} == {inside}


def test_a_trace_that_is_not_sampled_has_no_page(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    runspan.instrument(backend="jaeger", fetch="never")
    try:
        with runspan.span("turn"):
            assert runspan.trace_url() is None
        tracer = trace.get_tracer("other")
        with tracer.start_as_current_span("no-op"):
            assert runspan.trace_url() is None
    finally:
        runspan.uninstrument()


def test_without_a_preset_there_is_no_page(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    runspan.instrument(fetch="never", exit_timeout_s=20)
    try:
        with runspan.span("turn"):
            assert runspan.trace_url() is None
    finally:
        runspan.uninstrument()
