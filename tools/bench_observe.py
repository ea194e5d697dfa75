"""What `@observe` costs, beside a bare OpenTelemetry span of the same run.

    python tools/bench_observe.py

A bare span is `start_as_current_span` around nothing, no attributes; its unsampled twin has a sampler that says no.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

sys.path.insert(0, str(Path(__file__).resolve().parent))

import runspan
from benches.table import Row, draw
from benches.timing import best_us

CALLS, ROUNDS, ITEMS = 200, 20, 1_000


@runspan.observe
def answer(question: str, limit: int) -> str:
    return "Two."


def undecorated(question: str, limit: int) -> str:
    return "Two."


@runspan.observe
def letters(count: int) -> Iterator[str]:
    for _ in range(count):
        yield "word "


@runspan.observe
async def aletters(count: int) -> AsyncIterator[str]:
    for _ in range(count):
        yield "word "


def rows() -> Iterator[Row]:
    off = _times({"plain": _calls(undecorated), "observed": _calls(answer)})
    recorded, unsampled = TracerProvider(shutdown_on_exit=False), _unsampled()
    with _traced(recorded):
        times = _times({"bare": _bare(recorded), "plain": _calls(undecorated), "observed": _calls(answer)})
        with runspan.context(session_id="s", user_id="u", tags=["t"]):
            times |= _times({"in a context": _calls(answer)})
        items = _items(letters, lambda f: list(f(ITEMS)))
        aitems = _items(aletters, lambda f: asyncio.run(_drain(f(ITEMS))))
    with _traced(unsampled):
        root = _times({"bare": _bare(unsampled), "plain": _calls(undecorated), "observed": _calls(answer)})
        with trace.use_span(NonRecordingSpan(SpanContext(1, 1, False, TraceFlags(0)))):
            below = _times({"plain": _calls(undecorated), "observed": _calls(answer)})

    bare = times["bare"]
    note = f"bare span {bare:.1f} us"
    added = times["observed"] - times["plain"]
    yield Row(
        "@observe, two arguments and a result captured",
        added / bare,
        "bare spans",
        2.0,
        bare=added / bare,
        note=note,
    )
    inside = times["in a context"] - times["plain"]
    yield Row("the same inside runspan.context", inside / bare, "bare spans", bare=inside / bare)
    cost = off["observed"] - off["plain"]
    yield Row("@observe switched off", cost, "us", 0.5, bare=cost / bare)
    cost = below["observed"] - below["plain"]
    yield Row("@observe under an unsampled parent", cost, "us", 2.0, bare=cost / bare)
    cost = (root["observed"] - root["plain"]) / root["bare"]
    yield Row(
        "@observe as an unsampled root",
        cost,
        "bare unsampled",
        1.5,
        note=f"bare unsampled span {root['bare']:.1f} us",
    )
    yield Row("one item of an observed generator", items, "us", 1.0, bare=items / bare)
    yield Row("one item of an observed async generator", aitems, "us", bare=aitems / bare)


def _times(variants: dict[str, Callable[[], object]]) -> dict[str, float]:
    return best_us(variants, calls=CALLS, rounds=ROUNDS, settle=lambda: None)


def _calls(function: Callable[[str, int], str]) -> Callable[[], None]:
    def make() -> None:
        for _ in range(CALLS):
            function("What is 1 + 1?", 2)

    return make


def _bare(provider: TracerProvider) -> Callable[[], None]:
    tracer = provider.get_tracer("bare")

    def make() -> None:
        for _ in range(CALLS):
            with tracer.start_as_current_span("bare"):
                undecorated("What is 1 + 1?", 2)

    return make


def _items(function: Any, consume: Callable[[Any], object]) -> float:
    times = best_us(
        {"observed": lambda: consume(function), "plain": lambda: consume(function.__wrapped__)},
        calls=ITEMS,
        rounds=ROUNDS,
        settle=lambda: None,
    )
    return times["observed"] - times["plain"]


async def _drain(each: AsyncIterator[str]) -> None:
    async for _ in each:
        pass


class _traced:  # noqa: N801 - reads as a statement
    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def __enter__(self) -> None:
        runspan.instrument(tracer_provider=self._provider, fetch="never")

    def __exit__(self, *_: object) -> None:
        runspan.uninstrument()


def _unsampled() -> TracerProvider:
    return TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)


if __name__ == "__main__":
    print(draw(rows()))
