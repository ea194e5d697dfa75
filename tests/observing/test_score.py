"""`runspan.score`: the evaluation event, wherever it can go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import runspan
from runspan.fake import SimulatedClock, serve
from tests.support.playing import client_of
from tests.support.tracing import Traced

from .trees import events, span, spans

EVENT = "gen_ai.evaluation.result"


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryLogRecordExporter]:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    monkeypatch.setattr(_logs, "get_logger_provider", lambda: provider)
    yield exporter
    provider.shutdown()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, {"gen_ai.evaluation.score.value": 0.5}),
        (True, {"gen_ai.evaluation.score.value": 1.0, "gen_ai.evaluation.score.label": "true"}),
        ("good", {"gen_ai.evaluation.score.label": "good"}),
    ],
)
def test_it_is_an_event_of_the_current_span(traces: Traced, value: Any, said: dict[str, Any]) -> None:
    with runspan.span("turn"):
        runspan.score("helpful", value, comment="why")
    expected = {"gen_ai.evaluation.name": "helpful", "gen_ai.evaluation.explanation": "why", **said}
    assert events(span(traces, "turn")) == [(EVENT, expected)]


def run_of(client: Any) -> Any:
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Help.")
    thread = client.beta.threads.create()
    return client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)


def test_it_is_an_event_of_a_run_that_lives_and_a_linked_span_afterwards(traces: Traced) -> None:
    with serve("text", SimulatedClock()) as server, client_of("OpenAI", server) as client:
        run = run_of(client)
        runspan.score("early", 1, run_id=run.id)
        while client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != "completed":
            pass
        client.beta.threads.messages.list(run.thread_id)
        of_run = traces.run()
        runspan.score("late", 0, run_id=run.id)
    assert [a["gen_ai.evaluation.name"] for name, a in events(of_run) if name == EVENT] == ["early"]
    late = span(traces, "score late")
    assert late.parent is None
    assert [link.context.span_id for link in late.links] == [of_run.context.span_id]
    assert events(late) == [
        (EVENT, {k: v for k, v in (late.attributes or {}).items() if not k.startswith("openinf")})
    ]
    assert (late.attributes or {})["gen_ai.response.id"] == run.id


def test_a_run_nobody_here_knows_gets_a_span_with_its_id(traces: Traced) -> None:
    with runspan.span("other"):
        runspan.score("late", 1, run_id="run_elsewhere")
    late = span(traces, "score late")
    assert (late.links, (late.attributes or {})["gen_ai.response.id"]) == ((), "run_elsewhere")


def test_a_trace_of_long_ago_is_linked(traces: Traced) -> None:
    with runspan.span("turn") as turn:
        trace_id = str(turn.trace_id)
    runspan.score("helpful", 1, trace_id=trace_id)
    (link,) = span(traces, "score helpful").links
    assert trace.format_trace_id(link.context.trace_id) == trace_id
    runspan.score("helpful", 1, trace_id="nonsense")
    assert len(spans(traces)) == 3


def test_it_is_a_log_record_where_the_app_keeps_logs(traces: Traced, logs: InMemoryLogRecordExporter) -> None:
    with runspan.span("turn") as turn:
        runspan.score("now", 1)
    trace_id = str(turn.trace_id)
    runspan.score("later", 1, trace_id=trace_id)
    now, later = [data.log_record for data in logs.get_finished_logs()]
    assert (now.event_name, later.event_name) == (EVENT, EVENT)
    assert trace.format_trace_id(now.trace_id or 0) == trace.format_trace_id(later.trace_id or 0) == trace_id
    assert (trace.format_span_id(now.span_id or 0), later.span_id) == (turn.span_id, 0)
    assert [s.name for s in spans(traces)] == ["turn"]
    assert spans(traces)[0].events == ()
