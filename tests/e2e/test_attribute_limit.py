"""`OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` below what a span has to say: the most important stays, and that is said once."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.playing import App, playing, spans_of_app_go_to
from tests.support.tracing import attribute

import runspan

RUN = {"gen_ai.operation.name", "runspan.run.id", "runspan.run.status", "gen_ai.conversation.id"}
MONEY = {"gen_ai.response.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"}


async def _case(app: App) -> None:
    for _ in range(2):
        await app.ask()
        with runspan.context(session_id="s1", metadata={f"key_{n}": "v" for n in range(5)}):
            await app.polled(await app.started())
        await app.listed()


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def _spans(limit: int, exporter: InMemorySpanExporter, **options: Any) -> list[Any]:
    provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=limit), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with playing("OpenAI", "code_interpreter") as app, spans_of_app_go_to(provider):
        runspan.instrument(tracer_provider=provider, fetch="never", settle_s=60.0, **options)
        try:
            app.play(_case)
            assert runspan.flush(10)
        finally:
            runspan.uninstrument()
    return [s for s in exporter.get_finished_spans() if attribute(s, "gen_ai.operation.name")]


@pytest.mark.parametrize("limit", [1, 8, 16, 24, 128])
def test_the_most_important_attributes_stay(
    limit: int, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "runspan")
    spans = _spans(limit, exporter)
    assert {attribute(s, "gen_ai.operation.name") for s in spans} >= {"invoke_agent", "chat"}
    for span in spans:
        found = set(span.attributes or {})
        assert len(found) <= limit
    by_operation = {attribute(s, "gen_ai.operation.name"): set(s.attributes or {}) for s in spans}
    if limit >= 8:
        assert by_operation["invoke_agent"] >= RUN
        assert by_operation["chat"] >= MONEY | {"gen_ai.conversation.id"}
    if limit >= 16:
        assert by_operation["chat"] >= {"gen_ai.input.messages", "gen_ai.output.messages"}
    told = [r.name for r in caplog.records if "ttributes" in r.message]
    assert told == (["runspan"] if limit < 128 else []), "once, and the SDK has nothing to add"


def test_whole_spans_are_as_they_were(exporter: InMemorySpanExporter) -> None:
    whole = [dict(s.attributes or {}) for s in _spans(128, exporter)]
    exporter.clear()
    assert [set(a) for a in whole] == [set(s.attributes or {}) for s in _spans(1_000, exporter)]


def test_observed_functions_keep_the_most_important_too(exporter: InMemorySpanExporter) -> None:
    @runspan.observe(kind="tool", name="look_up", attributes={"least": 1})
    def look_up(word: str) -> str:
        runspan.update(attributes={"mine": 1, "yours": 2}, metadata={"a": "b"})
        return word

    provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=5), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with spans_of_app_go_to(provider):
        runspan.instrument(tracer_provider=provider)
        look_up("word")
        runspan.uninstrument()
    (span,) = exporter.get_finished_spans()
    assert set(span.attributes or {}) == {
        "gen_ai.operation.name",
        "gen_ai.tool.name",
        "openinference.span.kind",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
    }
