"""Spoilt and disordered real traffic at the worker's door: each run that began goes out once, whole, with its tokens once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from tests.e2e.recordings.folder import why_absent

if reason := why_absent():
    pytest.skip(reason, allow_module_level=True)

from runspan import guard
from runspan.config import resolve
from runspan.patches.starts import run_data
from runspan.runtime import clock
from runspan.setup import Handle
from tests.fuzz.seeds import Records, Told, names, tales
from tests.fuzz.spoil import disordered, interleaved, spoilt

a_tale = st.sampled_from(tales())

FACTS = ("runspan.run.id", "runspan.run.status", "gen_ai.conversation.id", "runspan.run.unfinished")
TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


class Spans(SpanProcessor):
    def __init__(self) -> None:
        self.started: Counter[int] = Counter()
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        assert span.context is not None
        self.started[span.context.span_id] += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


class Told2Spans:
    """A handle without threads: records are read at once."""

    def __init__(self, **bounds: int) -> None:
        self.spans = Spans()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self.spans)
        options = {"tracer_provider": provider, "fetch": "never", "calls": "all", **bounds}
        self.handle = Handle(resolve(options, {}))
        patch = self.handle._patch
        self.records = Records(
            lambda call, body: patch._emitter.begin(run_data(call, body, patch._assistant_of))
        )

    def tell(self, told: list[Told]) -> None:
        worker, config = self.handle._worker, self.handle.config
        tracker = self.handle._tracker
        for one in told:
            for record in self.records.of(one):
                worker._handle(record)
                assert tracker.live <= config.max_live_runs
                assert tracker.live <= 1 or tracker._weight <= config.max_live_bytes
            tracker.patience.tick(clock.now_ns())
        for record in self.records.ends():
            worker._handle(record)
        tracker.emit_all()
        assert self.handle._outbox.drain(float("inf"))

    @property
    def runs(self) -> list[ReadableSpan]:
        return [s for s in self.spans.ended if _operation(s) == "invoke_agent"]

    @property
    def said(self) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Of each run what must not depend on what else goes on: its facts, and its tokens."""
        tokens = {
            s.parent.span_id: tuple((s.attributes or {}).get(key) for key in TOKENS)
            for s in self.spans.ended
            if _operation(s) == "chat" and s.parent
        }
        facts = ((tuple((run.attributes or {}).get(key) for key in FACTS), run) for run in self.runs)
        return [(of, tokens[run.context.span_id]) for of, run in facts if run.context]


def _operation(span: ReadableSpan) -> Any:
    return (span.attributes or {}).get("gen_ai.operation.name")


@contextmanager
def nothing_swallowed() -> Iterator[None]:
    before = guard.swallowed()
    yield
    assert guard.swallowed() == before


def left(of: Told2Spans) -> dict[str, int]:
    """What is still held of runs that are gone; caches have bounds of their own."""
    tracker = of.handle._tracker
    held = {
        "threads": tracker._on_thread,
        "pinned": tracker._pinned,
        "claims": tracker.runs,
        "ids": tracker.ours,
        "expected": tracker.expected,
    }
    return {
        **{name: len(kept) for name, kept in held.items() if kept},
        **({"weight": tracker._weight} if tracker._weight else {}),
    }


def check(of: Told2Spans) -> None:
    stats, spans = of.handle.stats(), of.spans.ended
    assert left(of) == {}
    assert stats.live == 0
    assert stats.started == stats.emitted + stats.unfinished + sum(stats.dropped.values())
    assert len(of.runs) == stats.started
    assert len(spans) == sum(of.spans.started.values())  # none is left open
    assert max(of.spans.started.values(), default=1) == 1
    by_id = {span.context.span_id: span for span in spans if span.context}
    generations = Counter(s.parent.span_id for s in spans if _operation(s) == "chat" and s.parent)
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
        parent = by_id.get(span.parent.span_id) if span.parent else None
        if parent is not None:
            assert parent.start_time is not None
            assert parent.end_time is not None
            assert parent.start_time <= span.start_time
            assert span.end_time <= parent.end_time
        if _operation(span) != "chat":
            assert not any(key.startswith("gen_ai.usage.") for key in span.attributes or {})
    assert all(generations[run.context.span_id] == 1 for run in of.runs if run.context)


@given(a_tale.flatmap(lambda tale: disordered(list(tale))))
def test_real_traffic_in_any_order_loses_and_doubles_no_run(told: list[Told]) -> None:
    door = Told2Spans()
    with nothing_swallowed():
        door.tell(told)
    check(door)
    assert {used for _, used in door.said if any(used)} <= set(usages(told)), "tokens that no run had"


@given(st.data(), st.lists(a_tale, min_size=2, max_size=3))
def test_interleaved_traffic_of_several_threads_stays_apart(
    data: st.DataObject, chosen: list[tuple[Told, ...]]
) -> None:
    """Each in any order, with losses and repetitions of its own."""
    tales = [data.draw(disordered(list(names(tale, f"-{n}")))) for n, tale in enumerate(chosen)]
    door = Told2Spans()
    with nothing_swallowed():
        door.tell(data.draw(interleaved(*tales)))
    check(door)
    alone = []
    for tale in tales:
        one = Told2Spans()
        one.tell(tale)
        alone += one.said
    assert sorted(map(str, door.said)) == sorted(map(str, alone))


@given(st.data(), st.lists(a_tale, min_size=2, max_size=5), st.integers(1, 3), st.integers(5_000, 60_000))
def test_the_oldest_runs_go_before_memory_does(
    data: st.DataObject, chosen: list[tuple[Told, ...]], runs: int, live_bytes: int
) -> None:
    tales = (list(names(tale, f"-{n}")) for n, tale in enumerate(chosen))
    door = Told2Spans(max_live_runs=runs, max_live_bytes=live_bytes)
    with nothing_swallowed():
        door.tell(data.draw(interleaved(*tales)))
    check(door)


def usages(told: list[Told]) -> Iterator[tuple[Any, Any]]:
    """Of every Run object in the traffic."""
    for one in told:
        data = one.answer.get("data") if isinstance(one.answer, dict) else None
        for run in (one.answer, *(data if isinstance(data, list) else ())):
            if isinstance(run, dict) and run.get("object") == "thread.run" and run.get("usage"):
                yield run["usage"]["prompt_tokens"], run["usage"]["completion_tokens"]


@given(st.data(), a_tale)
def test_spoilt_traffic_raises_nothing_and_every_run_is_accounted_for(
    data: st.DataObject, tale: tuple[Told, ...]
) -> None:
    which = data.draw(st.sets(st.integers(0, len(tale) - 1), max_size=4))
    told = [
        Told(
            t.method,
            t.path,
            t.query,
            data.draw(spoilt(t.body)),
            data.draw(spoilt(t.answer)),
            t.index,
            t.event,
        )
        if n in which
        else t
        for n, t in enumerate(tale)
    ]
    door = Told2Spans()
    with nothing_swallowed():
        door.tell(data.draw(disordered(told)))
    check(door)
