"""What our own provider took is delivered or counted: spans that failed, that found no room, that were on their way at the end."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from runspan.exporting.loss_reporting import CarefulExporter
from runspan.runtime.emitter import is_suppressed

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


SMALL = {"max_queue": ROOM, "max_batch": BATCH}


def provider_of(exporter: CarefulExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(exporter.batched())
    return provider


def end_spans(provider: TracerProvider, count: int) -> None:
    tracer = provider.get_tracer("test")
    for _ in range(count):
        tracer.start_span("s").end()


def test_spans_that_found_no_room_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    inner = Stuck()
    exporter = CarefulExporter("there", inner, SMALL)
    provider = provider_of(exporter)
    end_spans(provider, BATCH)
    assert inner.entered.wait(30)  # a batch is out of the queue, and stays on its way
    end_spans(provider, 3 * ROOM)
    inner.opened.set()
    assert exporter.overflown == 2 * ROOM  # at once
    assert provider.force_flush()
    end_spans(provider, BATCH)
    assert provider.force_flush()
    (line,) = [record.getMessage() for record in caplog.records]
    assert "to there, so some are dropped. Raise OTEL_BSP_MAX_QUEUE_SIZE" in line
    assert (exporter.taken, inner.delivered, exporter.overflown, exporter.failed) == (
        2 * BATCH + 3 * ROOM,
        2 * BATCH + ROOM,
        2 * ROOM,
        0,
    )
    provider.shutdown()


def test_what_waits_at_the_end_is_counted_with_what_is_on_its_way(caplog: pytest.LogCaptureFixture) -> None:
    inner = Stuck()
    exporter = CarefulExporter("there", inner, SMALL)
    provider = provider_of(exporter)
    end_spans(provider, BATCH)
    assert inner.entered.wait(30)
    end_spans(provider, ROOM // 2)
    exporter.give_up()
    assert exporter.failed == BATCH + ROOM // 2
    assert [record.getMessage()[:39] for record in caplog.records] == [
        "runspan: cannot send 48 spans to there."
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


def held(inner: Stuck, **more: float) -> tuple[CarefulExporter, TracerProvider]:
    exporter = CarefulExporter("there", inner, {**SMALL, **more})
    return exporter, provider_of(exporter)


def test_a_full_batch_goes_out_at_once_and_a_part_of_one_after_the_delay() -> None:
    inner = Stuck()
    inner.opened.set()
    _, provider = held(inner, delay_s=3_600)
    end_spans(provider, BATCH - 1)
    assert not inner.entered.is_set()  # the delay is an hour
    end_spans(provider, 1)
    assert inner.entered.wait(30)
    provider.shutdown()
    later = Stuck()
    later.opened.set()
    _, provider = held(later, delay_s=0.01)
    end_spans(provider, 1)
    assert later.entered.wait(30)
    provider.shutdown()


def test_what_waits_goes_out_when_the_provider_ends() -> None:
    inner = Stuck()
    inner.opened.set()
    _, provider = held(inner, delay_s=3_600)
    end_spans(provider, 3)
    provider.shutdown()
    assert inner.delivered == 3
    end_spans(provider, 1)  # comes too late
    assert (inner.delivered, provider.force_flush()) == (3, False)


def test_without_a_thread_a_flush_delivers_and_the_next_span_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner = Stuck()
    inner.opened.set()
    _, provider = held(inner, delay_s=0.01)
    start, refusals = threading.Thread.start, [1, 2]

    def refusing(self: threading.Thread) -> None:
        if self.name == "runspan-export" and refusals:
            refusals.pop()
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    end_spans(provider, 2)
    assert (inner.delivered, refusals) == (0, [])
    assert provider.force_flush()
    assert inner.delivered == 2
    inner.entered.clear()
    end_spans(provider, 1)
    assert inner.entered.wait(30)
    provider.shutdown()
    assert inner.delivered == 3


def test_a_span_that_ends_inside_the_export_waits_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a finalizer or a signal handler would, while the lock of the export is held."""

    class Ending(Stuck):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if self.delivered < 3:
                end_spans(provider, 1)
            return super().export(spans)

    inner = Ending()
    inner.opened.set()
    exporter, provider = held(inner, delay_s=3_600)
    end_spans(provider, 1)
    assert provider.force_flush()
    assert inner.delivered == exporter.taken == 4
    provider.shutdown()


def test_our_export_makes_no_spans_of_its_own() -> None:
    seen: list[bool] = []

    class Looking(Stuck):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            seen.append(is_suppressed())
            return super().export(spans)

    inner = Looking()
    inner.opened.set()
    _, provider = held(inner)
    end_spans(provider, 1)
    provider.force_flush()
    provider.shutdown()
    assert seen == [True]


def test_a_thread_whose_start_was_interrupted_is_started_by_the_next_span(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner = Stuck()
    inner.opened.set()
    _, provider = held(inner, delay_s=0.01)
    before, start = set(threading.enumerate()), threading.Thread.start

    def interrupted(self: threading.Thread) -> None:
        start(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            end_spans(provider, 1)
    end_spans(provider, 1)
    assert inner.entered.wait(30)
    provider.shutdown()
    assert inner.delivered == 2
    assert set(threading.enumerate()) == before
