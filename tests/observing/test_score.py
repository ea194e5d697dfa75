"""`runspan.score`: the evaluation event, wherever it can go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import SpanContext

import runspan
from runspan.config import Config
from runspan.core.redact import Texts
from runspan.fake import SimulatedClock, serve
from runspan.runtime.active import MAX_TRACES, Active
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
    assert trace.format_span_id(link.context.span_id) == turn.span_id
    runspan.score("helpful", 1, trace_id="nonsense")
    assert len(spans(traces)) == 3


def test_a_trace_of_another_process_is_named_and_no_span_of_it_is_made_up(traces: Traced) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    runspan.score("helpful", 1, trace_id=trace_id)
    score = span(traces, "score helpful")
    assert (score.links, score.parent) == ((), None)
    assert (score.attributes or {})["runspan.score.trace_id"] == trace_id


def test_the_first_spans_of_the_newest_traces_are_remembered() -> None:
    """Bounded: nothing grows with uptime."""
    state = Active(Config(), Texts(), lambda: None, {}, lambda run_id: None, None)
    for number in range(1, MAX_TRACES + 3):
        state.note_trace(SpanContext(number, number, False))
        state.note_trace(SpanContext(number, 1 << 60, False))
    assert len(state.traces) == MAX_TRACES
    assert (state.traces.get(MAX_TRACES + 2), state.traces.get(2)) == (MAX_TRACES + 2, None)


def test_it_is_a_log_record_where_the_app_keeps_logs(traces: Traced, logs: InMemoryLogRecordExporter) -> None:
    with runspan.span("turn") as turn:
        runspan.score("now", 1)
    trace_id = str(turn.trace_id)
    runspan.score("later", 1, trace_id=trace_id)
    now, later = [data.log_record for data in logs.get_finished_logs()]
    assert (now.event_name, later.event_name) == (EVENT, EVENT)
    assert trace.format_trace_id(now.trace_id or 0) == trace.format_trace_id(later.trace_id or 0) == trace_id
    assert trace.format_span_id(now.span_id or 0) == trace.format_span_id(later.span_id or 0) == turn.span_id
    assert [s.name for s in spans(traces)] == ["turn"]
    assert spans(traces)[0].events == ()
