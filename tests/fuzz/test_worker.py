"""Spoilt and disordered real traffic at the worker's door: each run that began goes out once, whole, with its tokens once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.recordings.folder import why_absent

if reason := why_absent():
    pytest.skip(reason, allow_module_level=True)

from runspan import guard
from tests.fuzz.seeds import Told, names, tales
from tests.fuzz.spoil import disordered, interleaved, spoilt
from tests.fuzz.telling import Told2Spans, operation

a_tale = st.sampled_from(tales())


@contextmanager
def nothing_swallowed() -> Iterator[None]:
    before = guard.swallowed()
    yield
    assert guard.swallowed() == before


def left(of: Told2Spans) -> dict[str, int]:
    """What is still held of runs that are gone; caches have bounds of their own."""
    tracker = of.handle._tracker
    held = {
        "conversations": tracker._logs._keys,
        "logs": tracker._logs._held,
        "entries": tracker.registry,
    }
    return {
        **{name: len(kept) for name, kept in held.items() if kept},
        **({"weight": weight} if (weight := tracker._weight + tracker._logs.weight) else {}),
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
    generations = Counter(s.parent.span_id for s in spans if operation(s) == "chat" and s.parent)
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
        if operation(span) != "chat":
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
