"""Runs of a block of code, traced as in production and kept in memory."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, overload

import pytest

from .traces import RunTrace, read

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

    from ..setup import Handle

    Spans = Callable[[], tuple[Sequence[ReadableSpan], Mapping[int, str]]]


@contextmanager
def capture_runs(**options: Any) -> Iterator[RunTraces]:
    """The runs of a block, as the fixture `run_traces` has them of a test. `options` are those of `runspan.instrument()`.

    Nothing is fetched in the background unless `background_fetch=True` says so: what a trace lacks then is what the app did not
    read, and the server sees the app's requests only. A process that was instrumented already is so again afterwards, with the
    same options.
    """
    with warnings.catch_warnings():  # of the modules we import; the test's own code may have them as errors
        warnings.simplefilter("ignore")
        from .. import setup

        earlier: Handle | None = setup.current_handle()
        if earlier is not None:
            earlier.uninstrument()
        with _without_variables():
            provider, spans = _provider()
            wanted: dict[str, Any] = {"background_fetch": False, "tracer_provider": provider, **options}
            handle: Handle = setup.instrument(**wanted)
    try:
        yield RunTraces(handle, spans)
    finally:
        _off_loop(handle.uninstrument)
        provider.shutdown()
        if earlier is not None:
            setup.start_with(earlier.config)


class RunTraces(Sequence[RunTrace]):
    """The runs that have ended so far, in the order of their starts; each look flushes first."""

    def __init__(self, handle: Handle, spans: Spans) -> None:
        self._handle = handle
        self._spans = spans
        self._is_ended = False

    @property
    def only(self) -> RunTrace:
        """The run of a test that makes just one."""
        runs = self._runs()
        if len(runs) != 1:
            alive = self._handle.stats().live
            more = f", {alive} not over yet as far as the app has seen" if alive else ""
            raise AssertionError(
                f"expected one run, {len(runs)} have ended{more}: {[run.name for run in runs]}"
            )
        return runs[0]

    def end(self) -> RunTraces:
        """Stop tracing now: runs that are still alive go out as unfinished, as at the end of a process."""
        _off_loop(self._handle.uninstrument)
        self._is_ended = True
        return self

    def _runs(self) -> list[RunTrace]:
        if not self._is_ended:
            _off_loop(partial(self._handle.flush, timeout=10))
        return read(*self._spans())

    @overload
    def __getitem__(self, index: int) -> RunTrace: ...
    @overload
    def __getitem__(self, index: slice) -> list[RunTrace]: ...
    def __getitem__(self, index: int | slice) -> RunTrace | list[RunTrace]:
        return self._runs()[index]

    def __iter__(self) -> Iterator[RunTrace]:
        return iter(self._runs())

    def __len__(self) -> int:
        return len(self._runs())

    def __repr__(self) -> str:
        return "RunTraces([" + "".join(f"\n  {run!r}," for run in self._runs()) + "\n])"


def _off_loop(deliver: Callable[[], bool]) -> None:
    """On a thread of its own, and wait for it: where an event loop runs, as in an async test, `deliver` would not wait."""
    thread = threading.Thread(target=deliver, name="runspan-testing", daemon=True)
    thread.start()
    thread.join()


@contextmanager
def _without_variables() -> Iterator[None]:
    """Settings of whoever runs the tests are not the tests' settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("RUNSPAN_", "OTEL_")):
                patch.delenv(name)
        yield


def _provider() -> tuple[TracerProvider, Spans]:
    """A private provider, and what it has got: finished spans, and the names of parents by the child's id."""
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    finished: list[ReadableSpan] = []
    parents: dict[int, str] = {}

    class Keeper(SpanProcessor):
        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            # Seen here, because the parent may belong to a provider of the app.
            name = getattr(trace.get_current_span(parent_context), "name", None)
            if span.context is not None and isinstance(name, str):
                parents[span.context.span_id] = name

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

        def on_end(self, span: ReadableSpan) -> None:
            finished.append(span)

    provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(Keeper())
    return provider, lambda: (tuple(finished), dict(parents))
