"""What our own provider took is delivered or counted: spans that failed, that found no room, that were on their way at the end."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from runspan.providers import CarefulExporter

ROOM, BATCH = 64, 16


class Stuck(SpanExporter):
    """Takes nothing before `opened`; `entered` when a batch waits."""

    def __init__(self) -> None:
        self.opened, self.entered = threading.Event(), threading.Event()
        self.delivered = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        assert self.opened.wait(30)
        self.delivered += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.opened.set()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that is soon full. The SDK reads its variables when a processor is made."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(ROOM))
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(BATCH))


def provider_of(exporter: CarefulExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(exporter.batched())
    return provider


def end_spans(provider: TracerProvider, count: int) -> None:
    tracer = provider.get_tracer("test")
    for _ in range(count):
        tracer.start_span("s").end()


@pytest.mark.usefixtures("small")
def test_spans_that_found_no_room_are_counted_at_the_next_flush() -> None:
    inner = Stuck()
    exporter = CarefulExporter("there", inner)
    provider = provider_of(exporter)
    end_spans(provider, BATCH)
    assert inner.entered.wait(30)  # a batch is out of the queue, and stays on its way
    end_spans(provider, 3 * ROOM)
    inner.opened.set()
    taken = exporter.taken
    assert provider.force_flush()
    exporter.flushed(taken)
    assert (taken, inner.delivered, exporter.overflown, exporter.failed) == (
        BATCH + 3 * ROOM,
        BATCH + ROOM,
        2 * ROOM,
        0,
    )
    provider.shutdown()


@pytest.mark.usefixtures("small")
def test_what_waits_at_the_end_is_counted_with_what_is_on_its_way(caplog: pytest.LogCaptureFixture) -> None:
    inner = Stuck()
    exporter = CarefulExporter("there", inner)
    provider = provider_of(exporter)
    end_spans(provider, BATCH)
    assert inner.entered.wait(30)
    end_spans(provider, ROOM // 2)
    exporter.give_up()
    assert exporter.failed == BATCH + ROOM // 2
    assert [record.getMessage()[:43] for record in caplog.records] == [
        "runspan: there does not take spans; 48 were"
    ]
    inner.opened.set()
    provider.shutdown()
    assert exporter.failed == BATCH + ROOM // 2  # whatever became of them: they are counted once


def test_threads_are_counted_together() -> None:
    inner = Stuck()
    inner.opened.set()
    exporter = CarefulExporter("there", inner)
    provider = provider_of(exporter)
    threads = [threading.Thread(target=end_spans, args=(provider, 100)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert exporter.taken == 400
    provider.shutdown()


def test_spans_that_are_not_sampled_are_not_waited_for() -> None:
    exporter = CarefulExporter("there", Stuck())
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    provider.add_span_processor(exporter.batched())
    end_spans(provider, 3)
    assert exporter.taken == 0
    exporter.give_up()
    assert exporter.failed == 0
    provider.shutdown()
