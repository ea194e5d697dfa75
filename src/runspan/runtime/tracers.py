"""Tracers of a provider, also from code that interrupts their making.

The SDK's `get_tracer` holds a lock that is not reentrant. A signal handler or a finalizer that makes a run at that very moment, on
the same thread, would wait for itself for ever (seen in `make chaos`); its run goes unrecorded instead.
"""

from __future__ import annotations

import threading

from opentelemetry.trace import NoOpTracer, Tracer, TracerProvider

from .._version import __version__

SCOPE = "runspan"  # of all our telemetry


class _Making(threading.local):
    now = False


_making = _Making()


def of(provider: TracerProvider) -> Tracer:
    """A tracer of ours; one that records nothing inside another call of this on the same thread."""
    if _making.now:
        return NoOpTracer()
    _making.now = True
    try:
        return provider.get_tracer(SCOPE, __version__)
    finally:
        _making.now = False
