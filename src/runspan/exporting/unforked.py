"""Our own providers without the SDK's fork hooks: a forked child has new ones, made at its first span.

The hooks start threads before the child's first line runs. For a child that makes no span that is for nothing, and with gevent it
does harm: the start of a thread lets all greenlets of the parent go on in the child, also between fork and exec of a subprocess,
where each may begin subprocesses of its own (open-telemetry/opentelemetry-python#4298).
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider


class OwnTracerProvider(TracerProvider):
    def _handle_fork(self) -> None: ...


class OwnMeterProvider(MeterProvider):
    def _handle_fork(self) -> None: ...


class OwnReader(PeriodicExportingMetricReader):
    def _at_fork_reinit(self) -> None: ...


class _NoThread:
    """A descriptor in the place of a thread: whatever is set there is never started."""

    def __get__(self, owner: Any, kind: Any = None) -> _NoThread:
        return self

    def __set__(self, owner: Any, thread: Any) -> None: ...

    def start(self) -> None: ...


def leave_behind(batches: Any) -> None:
    """In the child, before the SDK's hook: a batch processor makes its inner part itself, so it can't be replaced beforehand."""
    batches.__class__ = type("Behind", (type(batches),), {"_worker_thread": _NoThread()})
