"""Which TracerProvider spans go to: the app's, else a private one of ours made from the `OTEL_*` variables.

The app's global provider counts if it is a real one at the moment a span begins, also when it was set after `instrument()`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from .config import Config
from .exporting import careful, otlp
from .exporting.counted import Counted
from .exporting.unforked import OwnTracerProvider
from .guard import logger
from .runtime.primitives import lock_of_now

_PLACEHOLDERS = (trace.ProxyTracerProvider, trace.NoOpTracerProvider)


class Providers:
    """`current()` for a span that begins now; `flush()` for all that were used."""

    def __init__(self, config: Config, on_bind: Callable[[], None]) -> None:
        self._config = config
        self._on_bind = on_bind  # told of each provider once, when it is first used
        self._lock = threading.RLock()  # a signal handler or finalizer may come in between
        self._resource: Resource | None = None
        self._own: TracerProvider | None = None
        self._is_closed = False
        self._used: dict[int, Any] = {}
        self._exporters: list[CarefulExporter] = []
        self._consoles: list[Any] = []
        if config.file is not None:
            self._check_file(config.file)
        if not self.has_app_provider():
            self._exporters = [CarefulExporter(name, make()) for name, make in _exporters(config)]
            # Now, not at the first span: it can't be made any more once the main thread has ended.
            named = {SERVICE_NAME: config.service_name} if config.service_name else {}
            self._resource = Resource.create({**otlp.destination(config).resource, **named})
            if config.set_global:
                trace.set_tracer_provider(self._make_own())
                self.current()

    def current(self) -> Any:
        provider = self._config.tracer_provider or trace.get_tracer_provider()
        if isinstance(provider, _PLACEHOLDERS):
            # A call was still in flight when uninstrument() came; or a finalizer runs when the interpreter has let its threads
            # die, and starting one would wait for ever.
            if self._is_closed or (self._own is None and sys.is_finalizing()):
                return provider
            provider = self._own or self._make_own()
        if id(provider) not in self._used:
            self._used[id(provider)] = provider
            if self._config.console and hasattr(provider, "add_span_processor"):
                self._show(provider)
            self._on_bind()
        return provider

    @property
    def is_used(self) -> bool:
        return bool(self._used)

    def flush(self) -> bool:
        """Blocks as long as the SDK does; called on a helper thread. False: something was not delivered."""
        lost_before, taken = self._lost(), [e.taken for e in self._exporters]
        ok = True
        for provider in list(self._used.values()):
            force_flush = getattr(provider, "force_flush", None)
            if force_flush is not None:
                ok = force_flush() is not False and ok
        for exporter, before in zip(self._exporters, taken, strict=True):
            exporter.flushed(before)
        return ok and self._lost() == lost_before

    def _lost(self) -> int:
        return sum(e.failed + e.overflown for e in self._exporters)

    def _show(self, provider: Any) -> None:
        from .observing.console import Console

        self._consoles.append(Console())
        provider.add_span_processor(self._consoles[-1])

    def close(self) -> None:
        """Let our own provider end, with its thread and connection; blocks as long as the SDK does."""
        for console in self._consoles:
            console.is_on = False
        self._is_closed = True
        own, self._own = self._own, None
        if own is not None and not self._config.set_global:
            self._used.pop(id(own), None)
            own.shutdown()

    def is_refused(self) -> bool:
        """Whether nobody listens where our spans go. Asked at exit: the SDK would try a refusing address for 10 s."""
        is_ours_alone = self._own is not None and set(self._used) == {id(self._own)}
        return is_ours_alone and bool(self._exporters) and all(e.is_refused() for e in self._exporters)

    def give_up(self) -> None:
        """Say what could not be delivered before the deadline."""
        for exporter in self._exporters:
            exporter.give_up()

    def lost_spans(self) -> dict[str, int]:
        """Spans of our own provider that were not delivered, by cause."""
        found = {
            "export_failed_spans": sum(e.failed for e in self._exporters),
            "export_queue_full_spans": sum(e.overflown for e in self._exporters),
        }
        return {cause: count for cause, count in found.items() if count}

    def describe(self) -> str:
        """For the line at start: where spans go."""
        if self.has_app_provider():
            return "the app's TracerProvider"
        return ", ".join(e.where for e in self._exporters) or "nowhere (OTEL_TRACES_EXPORTER=none)"

    def has_app_provider(self) -> bool:
        provider = self._config.tracer_provider or trace.get_tracer_provider()
        return not isinstance(provider, _PLACEHOLDERS)

    def _check_file(self, path: str) -> None:
        from .exporting import file

        file.check(path)
        if self.has_app_provider():
            logger.warning(
                "runspan: file= is for our own provider, but the app has set one of its own: nothing is written to %s.",
                path,
            )

    def after_fork(self) -> None:
        """Another thread may have held any lock of these at the fork, and a socket must not be shared: all anew at first use."""
        self._lock = threading.RLock()  # a signal handler or finalizer may come in between
        own = self._own
        if own is not None and not self._config.set_global:
            self._used.pop(id(own), None)
            self._own = None
            for exporter in self._exporters:
                exporter.stay_behind()
            self._exporters = [CarefulExporter(name, make()) for name, make in _exporters(self._config)]

    def _make_own(self) -> TracerProvider:
        """Ours. Our exit hook flushes within a deadline; the SDK's own would wait for a dead endpoint."""
        self._lock = lock_of_now(self._lock)
        with self._lock:
            if self._own is None:
                kind = TracerProvider if self._config.set_global else OwnTracerProvider
                own = kind(resource=self._resource, shutdown_on_exit=False)
                for exporter in self._exporters:
                    is_console = isinstance(exporter.inner, ConsoleSpanExporter)
                    own.add_span_processor(
                        SimpleSpanProcessor(exporter) if is_console else exporter.batched()
                    )
                if self._own is None:
                    self._own = own
            return self._own


# ---------------------------------------------------------------- exporters


def _exporters(config: Config) -> Sequence[tuple[str, Callable[[], SpanExporter]]]:
    """(where, factory) for each of `OTEL_TRACES_EXPORTER`. Raises ConfigError for what is not known."""
    found: list[tuple[str, Callable[[], SpanExporter]]] = []
    if config.file is not None:
        found.append(otlp.file_exporter(config.file))
    for name in otlp.exporters(config):
        if name == "console":
            found.append(("the console", ConsoleSpanExporter))
        elif name == "otlp":
            found.append(otlp.exporter(config))
        else:
            found.append((name, otlp.loaded(name)))
    return found


def private_provider(config: Config) -> tuple[TracerProvider, Sequence[CarefulExporter]]:
    """A provider for one's own use, with the exporters that `instrument()` makes where the app has set none."""
    used = [CarefulExporter(name, make()) for name, make in _exporters(config)]
    named = {SERVICE_NAME: config.service_name} if config.service_name else {}
    resource = Resource.create({**otlp.destination(config).resource, **named})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in used:
        provider.add_span_processor(exporter.batched())
    return provider, used


class CarefulExporter(SpanExporter):
    """Counts what an exporter could not deliver, and lets it complain once, not once a batch.

    The SDK's exporters log each failure themselves, so their loggers are kept quiet while they work for us.
    """

    def __init__(self, where: str, inner: SpanExporter) -> None:
        self.where = where
        self.inner = inner
        self.failed = 0
        self.overflown = 0  # ended faster than they went out; known after a flush
        self._settled = 0  # delivered or failed
        self._is_trying = False
        self._is_failing = False
        self._is_given_up = False
        self._processor: Counted | None = None
        careful.quiet(getattr(inner, "inner", inner))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        careful.at_work.active = self._is_trying = True
        try:
            result = self.inner.export(spans)
        except Exception:
            result = SpanExportResult.FAILURE
        finally:
            careful.at_work.active = self._is_trying = False
        self._settled += len(spans)
        if self._is_given_up:  # they were counted then
            return result
        if result is SpanExportResult.SUCCESS:
            self._is_failing = False
        else:
            self._lose(len(spans) - getattr(self.inner, "delivered", 0))
        return result

    def batched(self) -> Counted:
        """The processor in front of it."""
        self._processor = Counted(self)
        return self._processor

    def stay_behind(self) -> None:
        """In a forked child: what is here is the parent's."""
        if self._processor is not None:
            self._processor.stay_behind()

    @property
    def taken(self) -> int:
        """Spans that were to be delivered, so far."""
        return self._processor.taken if self._processor is not None else self._settled

    def flushed(self, taken: int) -> None:
        """So many spans had ended before a flush that is over now: those that did not come here are gone."""
        if not self._is_given_up:
            self.overflown = max(self.overflown, taken - self._settled)

    def is_refused(self) -> bool:
        return careful.refuses(self.where)

    def give_up(self) -> None:
        """The process ends while the exporter still tries (the SDK's retry for 10 s): what it has, and what waits for it."""
        left = self.taken - self._settled - self.overflown
        if self._is_trying:  # in pieces: some may be there already
            left -= getattr(self.inner, "delivered", 0)
        self._is_given_up = True
        if left > 0:
            self._lose(left)

    def _lose(self, count: int) -> None:
        self.failed += count
        if not self._is_failing:
            self._is_failing = True
            logger.warning(
                "runspan: %s does not take spans; %d were lost. %s Said once until it works again.",
                self.where,
                count,
                getattr(self.inner, "cure", otlp.CURE),
            )

    def shutdown(self) -> None:
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.inner.force_flush(timeout_millis)
