"""Which TracerProvider spans go to: the app's, else a private one of ours made from the `OTEL_*` variables.

The app's global provider counts if it is a real one at the moment a span begins, also when it was set after `instrument()`.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter

from .config import Config
from .exporting import address, otlp, own, variables
from .exporting.loss_reporting import CarefulExporter
from .exporting.sending import Haste
from .guard import logger
from .runtime import content_event
from .runtime.primitives import lock_of_now

_PLACEHOLDERS = (trace.ProxyTracerProvider, trace.NoOpTracerProvider)


class Providers:
    """`current()` for a span that begins now; `flush()` for all that were used."""

    def __init__(self, config: Config, on_bind: Callable[[], None]) -> None:
        self._config = config
        self._on_bind = on_bind  # told of each provider once, when it is first used
        self._lock = threading.RLock()  # a signal handler or finalizer may come in between
        self._own: TracerProvider | None = None
        self._make: Callable[[], TracerProvider] | None = None  # None: the app has one, and so it stays
        self._is_closed = False
        self._used: dict[int, Any] = {}
        self._exporters: list[CarefulExporter] = []
        self._consoles: list[Any] = []
        self._lost_told = 0  # at the last flush

    def open(self) -> None:
        """Read and try all that our own provider goes by. Raises ConfigError; nothing of the process is changed."""
        if self._config.tracer_provider is None:
            variables.check_provider("TRACER", trace.get_tracer_provider)
        variables.check_provider("LOGGER", content_event.provider)
        if self._config.file is not None:
            self._check_file(self._config.file)
        if not self.has_app_provider():
            # Now, not at the first span: it can't be made any more once the main thread has ended.
            self._make = own.maker(self._config)
            self._exporters = _made(self._config)

    def publish(self) -> None:
        """Make ours the global one, if that is asked for. It can't be taken back."""
        if self._config.set_global and (made := self._make_own()) is not None:
            trace.set_tracer_provider(made)
            self.current()

    def current(self) -> Any:
        provider = self._config.tracer_provider or trace.get_tracer_provider()
        if isinstance(provider, _PLACEHOLDERS):
            # A call was still in flight when uninstrument() came; or a finalizer runs when the interpreter has let its threads
            # die, and starting one would wait for ever.
            if self._is_closed or (self._own is None and sys.is_finalizing()):
                return provider
            if self._own is None and self._make is None:  # the app took its provider away
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
        """Blocks as long as the SDK does; called on a helper thread. False: since the last flush something was not delivered."""
        ok = True
        for provider in list(self._used.values()):
            force_flush = getattr(provider, "force_flush", None)
            if force_flush is not None:
                ok = force_flush() is not False and ok
        lost_before, self._lost_told = self._lost_told, self._lost()
        return ok and self._lost_told == lost_before

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
        provider, self._own = self._own, None
        if provider is not None and not self._config.set_global:
            self._used.pop(id(provider), None)
            provider.shutdown()

    def hasten(self) -> None:
        """Nobody waits any more. Exporters of the global provider go on without us."""
        if not self._config.set_global:
            self._hasten(Haste.ALWAYS)

    def _hasten(self, haste: Haste) -> None:
        for exporter in self._exporters:
            exporter.hasten(haste)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Within the block, nobody is tried again where nothing listens."""
        self._hasten(Haste.WHERE_REFUSED)
        try:
            yield
        finally:
            self._hasten(Haste.NONE)

    def is_refused(self) -> bool:
        """Whether nothing listens where our spans go. Asked at exit: the SDK would try a refusing address for 10 s."""
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
                "runspan: file= works with runspan's own provider only, and the app has set a provider: nothing is written to %s.",
                path,
            )

    def after_fork(self) -> None:
        """Another thread may have held any lock of these at the fork, and a socket must not be shared: all anew at first use."""
        self._lock = threading.RLock()  # a signal handler or finalizer may come in between
        provider = self._own
        if provider is None:
            return
        if self._config.set_global:  # the app holds tracers of it
            for exporter in self._exporters:
                exporter.begin_anew()
            return
        self._used.pop(id(provider), None)
        self._own = None
        for exporter in self._exporters:
            exporter.stay_behind()
        self._exporters = _made(self._config)

    def _make_own(self) -> TracerProvider | None:
        """Ours. Our exit hook flushes within a deadline; the SDK's own would wait for a dead endpoint."""
        self._lock = lock_of_now(self._lock)
        with self._lock:
            if self._own is None and self._make is not None:
                made = _with_exporters(self._make(), self._exporters)
                self._own = self._own or made
            return self._own


# ---------------------------------------------------------------- exporters


def _made(config: Config) -> list[CarefulExporter]:
    settings = variables.batching()
    return [CarefulExporter(where, otlp.made(where, make), settings) for where, make in _exporters(config)]


def _exporters(config: Config) -> Sequence[tuple[str, Callable[[], SpanExporter]]]:
    """(where, factory) for each of `OTEL_TRACES_EXPORTER`. Raises ConfigError for what is not known."""
    found: list[tuple[str, Callable[[], SpanExporter]]] = []
    if config.file is not None:
        from .exporting.file import FileExporter

        found.append((f"the file {config.file}", functools.partial(FileExporter, config.file)))
    for name in address.exporters(config):
        if name == "console":
            found.append(("the console", ConsoleSpanExporter))
        elif name == "otlp":
            found.append(otlp.exporter(config))
        else:
            found.append((name, otlp.loaded(name)))
    return found


def private_provider(config: Config) -> tuple[TracerProvider, Sequence[CarefulExporter]]:
    """A provider for one's own use, with the exporters that `instrument()` makes where the app has set none."""
    used = _made(config)
    return _with_exporters(own.maker(config)(), used), used


def _with_exporters(provider: TracerProvider, exporters: Sequence[CarefulExporter]) -> TracerProvider:
    for exporter in exporters:
        is_console = isinstance(exporter.inner, ConsoleSpanExporter)
        provider.add_span_processor(SimpleSpanProcessor(exporter) if is_console else exporter.batched())
    return provider
