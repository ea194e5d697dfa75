"""Which MeterProvider metrics go to: the app's, else a private one of ours, if the `OTEL_*` variables ask for metrics.

Ours is made only where `OTEL_METRICS_EXPORTER` or `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` says so. The specification's default would
be to send metrics wherever traces go; but Jaeger, Langfuse and Phoenix take traces alone and answer 404 to the rest.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import metrics
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    ExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

from . import _compat
from .config import Config
from .exporting import metrics as exporters
from .exporting import otlp, own, variables
from .exporting.metrics import CarefulMetricExporter
from .exporting.sending import Haste
from .guard import guarded

_EXEMPLARS: Mapping[str, Callable[[], ExemplarFilter]] = {
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
    "trace_based": TraceBasedExemplarFilter,
}
_INSTANCE = "service.instance.id"


class Meters:
    """`current()` for a run that ends now; `flush()` for what is ours."""

    def __init__(self, config: Config, on_bind: Callable[[], None]) -> None:
        self._config = config
        self._on_bind = on_bind  # told of each provider once, when it is first used
        self._own: MeterProvider | None = None
        self._readers: dict[CarefulMetricExporter, MetricReader] = {}  # of ours, but for those that are asked
        self._used: dict[int, Any] = {}
        self._is_closed = False
        self._is_asked = False
        self._resource: Resource | None = None

    def open(self) -> None:
        """Make ours, if the variables ask for it. Raises ConfigError; only `close` is left to do then."""
        if self._config.meter_provider is None:
            variables.check_provider("METER", metrics.get_meter_provider)
        if exporters.wanted() and not self._has_app_provider():
            # Now: at the end of the process its thread could not be started any more.
            self._own = self._made()
            self._is_asked = True

    def publish(self) -> None:
        """Make ours the global one, if that is asked for. It can't be taken back."""
        if self._own is not None and self._config.set_global and self._config.meter_provider is None:
            metrics.set_meter_provider(self._own)

    def current(self) -> Any | None:
        """Where metrics are recorded now; None: nowhere."""
        provider = self._config.meter_provider or metrics.get_meter_provider()
        if not is_real(provider):
            if self._is_closed:
                return None
            provider = self._own or self._anew()
        if provider is not None and id(provider) not in self._used:
            self._used[id(provider)] = provider
            self._on_bind()
        return provider

    def flush(self) -> bool:
        """Ours alone, and not those that are asked: a scrape after a flush of Prometheus' reader would get each series twice.

        Blocks as long as the SDK does; called on a helper thread.
        """
        if self._own is None:
            return True
        flushed = [_flushed(*pair) for pair in self._readers.items()]  # each, also after one that failed
        return all(flushed)

    def may_be_heard(self) -> bool:
        """Whether ours sends to an address that may listen. Asked at exit, which waits for those."""
        return self._own is not None and any(e.may_be_heard() for e in self._readers)

    def close(self) -> None:
        """Let ours end, with its thread and connection; blocks as long as the SDK does."""
        self._is_closed = True
        provider, self._own = self._own, None
        if provider is not None and not self._config.set_global:
            self._used.pop(id(provider), None)
            provider.shutdown()

    def hasten(self) -> None:
        """Nobody waits any more, and the last counts were flushed. An exporter of the global provider goes on without us."""
        if not self._config.set_global:
            for exporter in self._readers:
                exporter.hasten(Haste.ALWAYS)

    def after_fork(self) -> None:
        """The child's copy of ours would send the parent's counts a second time, so it is muted; a new one comes at first use."""
        if self._own is not None and not self._config.set_global:
            self._used.pop(id(self._own), None)
            self._own = None
            for exporter in self._readers:
                exporter.is_muted = True

    def describe(self) -> str:
        """For the line at start."""
        if self._has_app_provider():
            return "the app's MeterProvider"
        return ", ".join(e.where for e in self._readers) or ("a reader" if self._is_asked else "off")

    def _has_app_provider(self) -> bool:
        return is_real(self._config.meter_provider or metrics.get_meter_provider())

    def _anew(self) -> MeterProvider | None:
        """Ours once more, in a forked child."""
        if self._is_asked:
            self._is_asked = False  # what fails is not tried again
            with guarded("make a MeterProvider"):
                self._own = self._made()
                self._is_asked = True
        return self._own

    def _made(self) -> MeterProvider:
        """Exporters first: a reader has a thread, which one that is made after it and fails would leave behind."""
        exemplars, *times_ms = variables.metrics()
        sources = [self._source(name) for name in exporters.wanted()]
        if self._resource is None:  # once: the SDK uses a pool of threads, which a child that ends can't have
            self._resource = own.resource(own.service(self._config))
        readers = [self._reader(source, *times_ms) for source in sources]
        self._readers = {s: r for s, r in zip(sources, readers, strict=True) if s is not r}
        # An id of this process, else the series of two processes would be taken for one. One that was given stays.
        is_given = _INSTANCE in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        instance = {} if is_given else {_INSTANCE: str(uuid.uuid4())}
        resource = self._resource.merge(Resource(instance))
        kind: Any = self._kind(MeterProvider)
        provider: MeterProvider = kind(readers, resource, _EXEMPLARS[exemplars](), shutdown_on_exit=False)
        return provider

    def _kind(self, kind: type) -> type:
        """Ours is made anew in a forked child, which has no use for what the SDK starts there."""
        return kind if self._config.set_global else _compat.without_fork_hook(kind)

    def _reader(self, source: Any, interval_ms: float, timeout_ms: float) -> MetricReader:
        if isinstance(source, MetricReader):
            return source
        kind: Any = self._kind(PeriodicExportingMetricReader)
        try:
            made: MetricReader = kind(source, interval_ms, timeout_ms)
        except RuntimeError:  # no thread can be started (the process ends, say): read when it is flushed
            made = kind(source, math.inf, timeout_ms)
        return made

    def _source(self, name: str) -> Any:
        """An exporter; or a reader, such as that of Prometheus: it is asked, and sends nothing."""
        if name == "otlp":
            return exporters.exporter(self._config)
        make = ConsoleMetricExporter if name == "console" else otlp.loaded(name, "METRICS")
        made = otlp.made(name, make, "METRICS")
        return made if isinstance(made, MetricReader) else CarefulMetricExporter(name, made)


def is_real(provider: Any) -> bool:
    """The API's own providers (no-op, proxy) stand for "none was set"; the proxy's class is not exported."""
    return provider is not None and not type(provider).__module__.startswith("opentelemetry.metrics")


# ---------------------------------------------------------------- pieces


def _flushed(exporter: CarefulMetricExporter, reader: MetricReader) -> bool:
    """One that is refused is not tried: the SDK would do so for 10 s."""
    failed_before = exporter.failed
    return not exporter.is_refused() and reader.force_flush() and exporter.failed == failed_before
