"""Times of short things on a busy machine: short chunks of all variants by turns, and the best chunk of each.

The best, not the mean: noise of other processes only ever adds. Processor time of the thread, so being put aside does not count.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import thread_time_ns

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

import runspan

CHUNKS = 12  # of each variant, between two settlings


def best_us(
    variants: Mapping[str, Callable[[], object]],
    *,
    calls: int,
    rounds: int,
    settle: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Microseconds of one call of each variant. Each makes `calls` of them; `settle` lets background work end before."""
    best = dict.fromkeys(variants, float("inf"))
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            settle()
            for name, variant in list(variants.items()) * CHUNKS:
                began = thread_time_ns()
                variant()
                best[name] = min(best[name], (thread_time_ns() - began) / calls / 1000)
    finally:
        gc.enable()
    return best


def bare_spans(calls: int) -> Callable[[], None]:
    """So many spans of OpenTelemetry alone: started and ended, no attributes, no processor."""
    start_span = TracerProvider(shutdown_on_exit=False).get_tracer("bare").start_span

    def make() -> None:
        for _ in range(calls):
            start_span("bare").end()

    return make


def provider_with(*processors: SpanProcessor) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


@contextmanager
def instrumented(provider: TracerProvider | None = None, **options: object) -> Iterator[None]:
    runspan.instrument(tracer_provider=provider or provider_with(), **options)  # type: ignore[arg-type]
    try:
        yield
    finally:
        runspan.uninstrument()
