"""Where content goes when `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` names log records."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from tests.support.tracing import attribute, texts, traced

from runspan.fake import Server, serve

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class Records:
    """A log record processor that keeps what it gets, under the SDK's old and new name of its method."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def on_emit(self, data: Any) -> None:
        self.kept.append(data.log_record)

    emit = on_emit

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    provider, records = LoggerProvider(shutdown_on_exit=False), Records()
    provider.add_log_record_processor(records)  # type: ignore[arg-type]
    monkeypatch.setattr(_logs, "get_logger_provider", lambda: provider)
    yield records
    provider.shutdown()


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as server:
        yield server


def ask(server: Server) -> None:
    with openai.OpenAI(api_key="none", base_url=server.base_url) as client:
        assistant = client.beta.assistants.create(model="gpt-4o")
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": "Solve 3x + 11 = 14"}]},
            poll_interval_ms=5,
        )
        client.beta.threads.messages.list(run.thread_id)


def test_event_only_puts_content_on_a_log_record_and_nowhere_else(
    server: Server, logs: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "EVENT_ONLY")
    with traced() as trace:
        ask(server)
        generation = trace.generation()
    (record,) = logs.kept
    assert record.event_name == "gen_ai.client.inference.operation.details"
    (asked,) = record.attributes["gen_ai.input.messages"]
    assert dict(asked["parts"][0]) == {"type": "text", "content": "Solve 3x + 11 = 14"}
    assert (record.trace_id, record.span_id) == (generation.context.trace_id, generation.context.span_id)
    assert attribute(generation, "gen_ai.input.messages") is None
    assert "3x" not in "".join(span.to_json() for span in trace.exporter.get_finished_spans())


def test_span_and_event_puts_content_on_both(
    server: Server, logs: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "SPAN_AND_EVENT")
    with traced() as trace:
        ask(server)
        assert texts(trace.generation(), "input") == ["Solve 3x + 11 = 14"]
    assert len(logs.kept) == 1


def test_without_a_logger_provider_one_line_says_what_is_missing(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, "EVENT_ONLY")
    with traced() as trace, caplog.at_level(logging.WARNING, "runspan"):
        ask(server)
        ask(server)
        assert len(trace.runs()) == 2
    assert [r.message for r in caplog.records if "LoggerProvider" in r.message] == [
        caplog.records[-1].message
    ]
