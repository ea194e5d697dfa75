"""Metrics of 100 runs, read back from a real Prometheus that scrapes the app: `make test-prometheus`.

What is expected is not taken from the metrics but from what the client was answered and from the exported spans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry.sdk.metrics import MeterProvider

import runspan
from runspan.conventions.measures import SECONDS
from tests.backends import prometheus
from tests.backends.prometheus import Labels, Prometheus, labels, where
from tests.support.children import environment, finish, start
from tests.support.playing import playing
from tests.support.tracing import Traced, attribute, traced

if prometheus.PROGRAM is None:
    pytest.skip(
        "there is no program `prometheus` (Debian: apt-get install prometheus)", allow_module_level=True
    )
exporter = pytest.importorskip("opentelemetry.exporter.prometheus")
prometheus_client = pytest.importorskip("prometheus_client")

# 100 runs: scenario of the fake -> how many
PLAYED: Mapping[str, int] = {
    "usage": 40,
    "text": 20,
    "parallel_functions": 15,
    "code_interpreter": 5,
    "failed": 6,
    "rate_limited": 4,
    "expired": 3,
    "incomplete": 4,
    "cancelled": 3,
}
MODELS = ("gpt-4o", "gpt-4o-mini", "llama3")


class Ran:
    """What the app saw: each run at its end, and how often a POST failed."""

    def __init__(self, found: Traced, port: int, runs: list[Any], refused: list[Any]) -> None:
        self.port = port
        self.runs = runs
        self.refused = refused
        self.spans = found.spans()

    def of(self, operation: str) -> list[Any]:
        return [s for s in self.spans if attribute(s, "gen_ai.operation.name") == operation]

    def count(self, key: Any) -> Counter[Labels]:
        """Labels -> number of runs, those that never began included where `key` has labels for None."""
        found = Counter(key(run) for run in self.runs)
        if self.refused and (none := key(None)) is not None:
            found[none] += len(self.refused)
        return found

    def base(self, run: Any) -> dict[str, Any]:
        known = {"gen_ai_provider_name": "openai", "server_address": "127.0.0.1", "server_port": self.port}
        if run is None:
            return {**known, "gen_ai_request_model": "gpt-4o"}
        return {**known, "gen_ai_request_model": run.model, "gen_ai_agent_name": "Tutor"}

    def errors(self, run: Any) -> dict[str, Any]:
        if run is None:
            return {"error_type": self.refused[0]}
        if run.status == "failed":
            return {"error_type": run.last_error.code}
        return {"error_type": "expired"} if run.status == "expired" else {}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ran, Prometheus]]:
    registry = prometheus_client.CollectorRegistry()
    provider = MeterProvider([exporter.PrometheusMetricReader(registry=registry)], shutdown_on_exit=False)
    web, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry)
    try:
        with prometheus.serve(web.server_port, tmp_path_factory.mktemp("prometheus")) as found:
            ran = _play(provider)
            found.wait_for("sum(runspan_runs_total)", sum(PLAYED.values()) + len(ran.refused))
            yield ran, found
    finally:
        web.shutdown()
        web.server_close()
        thread.join()
        provider.shutdown()


def _play(provider: MeterProvider) -> Ran:
    scenarios = [name for name, count in PLAYED.items() for _ in range(count)]
    with playing("OpenAI") as app, traced(meter_provider=provider) as found, app.client:
        app.client.beta.assistants.retrieve(app.assistant_id)
        app.server.play_next(*scenarios)
        runs = []
        for number in range(len(scenarios)):
            thread = app.threads.create(messages=[{"role": "user", "content": "Hello."}])
            asked = {"assistant_id": app.assistant_id, "model": MODELS[number % len(MODELS)]}
            run = app.runs.create_and_poll(thread_id=thread.id, **asked)
            while run.status == "requires_action":
                calls = run.required_action.submit_tool_outputs.tool_calls
                outputs = [{"tool_call_id": call.id, "output": "22 C"} for call in calls]
                run = app.runs.submit_tool_outputs_and_poll(
                    run_id=run.id, thread_id=thread.id, tool_outputs=outputs
                )
            app.runs.steps.list(run_id=run.id, thread_id=thread.id)
            app.threads.messages.list(thread.id)
            runs.append(run)
        refused = []
        for _ in range(7):
            with pytest.raises(openai.NotFoundError) as caught:
                app.runs.create(thread_id=app.thread_id, assistant_id="asst_nobody", model="gpt-4o")
            refused.append(caught.value.type)
        assert runspan.flush(30)
        return Ran(found, app.server.port, runs, refused)


def test_every_run_is_counted_once_under_its_status(played: tuple[Ran, Prometheus]) -> None:
    ran, found = played

    def key(run: Any) -> Labels:
        status = "not_started" if run is None else run.status
        return labels(**ran.base(run), **ran.errors(run), runspan_run_status=status)

    counted = found.query("runspan_runs_total")
    assert counted == ran.count(key)
    assert sum(counted.values()) == 107
    assert set(where(counted, "runspan_run_status")) == {
        *("completed", "failed", "expired", "incomplete", "cancelled", "not_started")
    }


def test_tokens_are_what_the_api_billed(played: tuple[Ran, Prometheus]) -> None:
    ran, found = played
    sums, counts = Counter[Labels](), Counter[Labels]()
    for run in ran.runs:
        for type_, amount in (
            ("input", run.usage and run.usage.prompt_tokens),
            ("output", run.usage and run.usage.completion_tokens),
        ):
            if amount is not None:
                of = labels(
                    **ran.base(run),
                    gen_ai_response_model=run.model,
                    gen_ai_operation_name="invoke_agent",
                    gen_ai_token_type=type_,
                )
                sums[of] += amount
                counts[of] += 1
    assert found.query("gen_ai_client_token_usage_sum") == sums
    assert found.query("gen_ai_client_token_usage_count") == counts
    assert len(counts) == 2 * len(MODELS)


def test_durations_are_those_of_the_run_spans(played: tuple[Ran, Prometheus]) -> None:
    ran, found = played

    def key(run: Any) -> Labels:
        answered = {} if run is None else {"gen_ai_response_model": run.model}
        return labels(**ran.base(run), **answered, **ran.errors(run), gen_ai_operation_name="invoke_agent")

    name = "gen_ai_client_operation_duration_seconds"
    assert found.query(f"{name}_count") == ran.count(key)
    seconds = sum((s.end_time - s.start_time) / 1e9 for s in ran.of("invoke_agent"))
    assert sum(found.query(f"{name}_sum").values()) == pytest.approx(seconds)
    bounds = {float(dict(of)["le"]) for of in found.query(f"sum by (le) ({name}_bucket)")}
    assert bounds == {*SECONDS, float("inf")}
    below = found.query(f'sum({name}_bucket{{le="2.56"}})')
    assert below[frozenset()] == sum(s.end_time - s.start_time <= 2.56e9 for s in ran.of("invoke_agent"))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("runspan_run_queue_time_seconds", "runspan.run.queue_s"),
        ("runspan_run_tool_wait_seconds", "runspan.run.tool_wait_s"),
        ("runspan_run_detection_lag_seconds", "runspan.run.detection_lag_s"),
    ],
)
def test_waits_are_those_of_the_run_spans(played: tuple[Ran, Prometheus], name: str, key: str) -> None:
    ran, found = played
    values = [v for s in ran.of("invoke_agent") if (v := attribute(s, key)) is not None]
    if "tool_wait" in name:
        values = [v for v in values if v]
    assert values
    assert sum(found.query(f"{name}_count").values()) == len(values)
    assert sum(found.query(f"{name}_sum").values()) == pytest.approx(sum(values))


def test_tools_are_counted_by_name(played: tuple[Ran, Prometheus]) -> None:
    ran, found = played
    tools = ran.of("execute_tool")
    counted = found.query("gen_ai_execute_tool_duration_seconds_count")
    by_name = Counter(attribute(s, "gen_ai.tool.name") for s in tools)
    assert where(counted, "gen_ai_tool_name") == by_name
    assert by_name["code_interpreter"] == PLAYED["code_interpreter"]
    assert where(counted, "gen_ai_agent_name") == {"Tutor": len(tools)}
    seconds = sum((s.end_time - s.start_time) / 1e9 for s in tools)
    assert sum(found.query("gen_ai_execute_tool_duration_seconds_sum").values()) == pytest.approx(seconds)


def test_costs_are_those_of_the_generation_spans(played: tuple[Ran, Prometheus]) -> None:
    pytest.importorskip("genai_prices")
    ran, found = played
    by_model: Counter[str] = Counter()
    for span in ran.of("chat"):
        cost = attribute(span, "gen_ai.usage.cost")
        if cost is not None:
            by_model[attribute(span, "gen_ai.response.model")] += cost
    counted = found.query("runspan_run_cost_total")
    assert where(counted, "gen_ai_response_model") == pytest.approx(dict(by_model))
    assert set(by_model) == {"gpt-4o", "gpt-4o-mini"}  # nobody knows what llama3 costs
    assert set(where(counted, "runspan_cost_currency")) == {"USD"}


def test_nothing_was_dropped_and_no_id_is_a_label(played: tuple[Ran, Prometheus]) -> None:
    ran, found = played
    assert set(found.query("runspan_dropped_total").values()) == {0.0}
    names = found.get("/api/v1/labels")
    assert not [name for name in names if name.endswith("_id") and name != "service_instance_id"]
    ids = {run.id for run in ran.runs} | {run.thread_id for run in ran.runs}
    assert not ids & {value for name in names for value in found.get(f"/api/v1/label/{name}/values")}


def test_by_variables_alone_the_app_can_be_scraped(tmp_path: Path) -> None:
    """`OTEL_METRICS_EXPORTER=prometheus`: no line of code, and nothing is sent anywhere."""
    port = prometheus._free_port()
    with playing("OpenAI", "usage") as app:
        script = """
            import runspan
            runspan.instrument(fetch="never")
            from tests.support import app
            app.whole_run(app.client())
            print(runspan.flush(20), flush=True)
            import time; time.sleep(600)
        """
        variables = {
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
            "OTEL_TRACES_EXPORTER": "none",
        }
        child = start(script, environment(app.server, **variables))
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "True\n"
            with prometheus.serve(port, tmp_path) as found:
                found.wait_for("sum(runspan_runs_total)", 1)
                found.wait_for("sum(gen_ai_client_token_usage_sum)", 1300)
        finally:
            child.terminate()
            ended = finish(child)
    assert ended.err == ""
