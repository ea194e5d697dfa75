from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracer, Tracer

from runspan.runtime import tracers


class Interrupted(TracerProvider):
    """Somebody on the same thread wants a tracer while one is made."""

    inside: Tracer | None = None

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        self.inside = tracers.of(self)
        return super().get_tracer(*args, **kwargs)


def test_who_interrupts_the_making_of_a_tracer_records_nothing_and_does_not_wait() -> None:
    provider = Interrupted(shutdown_on_exit=False)
    assert not isinstance(tracers.of(provider), NoOpTracer)
    assert isinstance(provider.inside, NoOpTracer)


def test_afterwards_tracers_are_made_again_also_when_one_failed() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.get_tracer = lambda *_: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            tracers.of(provider)
    assert not isinstance(tracers.of(TracerProvider(shutdown_on_exit=False)), NoOpTracer)
