"""What `@observe` costs, beside a bare OpenTelemetry span of the same process.

A bare span is `start_as_current_span` around nothing, no attributes; its unsampled twin has a sampler that says no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import runspan
from benches.timing import best_us, instrumented
from table import Row

CALLS, ROUNDS, ITEMS = 200, 20, 1_000
UNSAMPLED = NonRecordingSpan(SpanContext(1, 1, False, TraceFlags(0)))


def undecorated(question: str, limit: int) -> str:
    return "Two."


answer = runspan.observe(undecorated)


@runspan.observe
def letters(count: int) -> Iterator[str]:
    for _ in range(count):
        yield "word "


def rows() -> Iterator[Row]:
    recorded = TracerProvider(shutdown_on_exit=False)
    unsampled = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    off, _ = _costs(recorded)
    with instrumented(recorded, fetch="never"):
        observed, bare = _costs(recorded)
        with runspan.context(session_id="s", user_id="u", tags=["t"]):
            inside, _ = _costs(recorded)
        item = _item()
    with instrumented(unsampled, fetch="never"):
        root, bare_root = _costs(unsampled)
        with trace.use_span(UNSAMPLED):
            below, _ = _costs(unsampled)

    def ratio(what: str, us: float, budget: float | None = None) -> Row:
        return Row(what, us / bare, "bare spans", budget, bare=us / bare, note=f"bare span {bare:.1f} us")

    yield ratio("@observe, two arguments and a result captured", observed, 2.0)
    yield ratio("the same inside runspan.context", inside)
    yield Row("@observe switched off", off, "us", 0.5, bare=off / bare)
    yield Row("@observe under an unsampled parent", below, "us", 2.0, bare=below / bare)
    note = f"bare unsampled span {bare_root:.1f} us"
    yield Row("@observe as an unsampled root", root / bare_root, "bare unsampled", 1.5, note=note)
    yield Row("one item of an observed generator", item, "us", 1.0, bare=item / bare)


def _costs(provider: TracerProvider) -> tuple[float, float]:
    """Microseconds that one call costs more than an undecorated one, and those of a bare span."""
    tracer = provider.get_tracer("bare")

    def bare() -> None:
        for _ in range(CALLS):
            with tracer.start_as_current_span("bare"):
                undecorated("What is 1 + 1?", 2)

    variants = {"bare": bare, "plain": _calls(undecorated), "observed": _calls(answer)}
    times = best_us(variants, calls=CALLS, rounds=ROUNDS)
    return times["observed"] - times["plain"], times["bare"]


def _calls(function: Callable[[str, int], str]) -> Callable[[], None]:
    def make() -> None:
        for _ in range(CALLS):
            function("What is 1 + 1?", 2)

    return make


def _item() -> float:
    """Microseconds that one item of an observed generator costs more."""
    plain: Callable[[int], Iterator[str]] = letters.__wrapped__  # type: ignore[attr-defined]
    variants = {"observed": lambda: list(letters(ITEMS)), "plain": lambda: list(plain(ITEMS))}
    times = best_us(variants, calls=ITEMS, rounds=ROUNDS)
    return times["observed"] - times["plain"]
