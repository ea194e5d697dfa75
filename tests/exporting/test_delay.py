"""How long an ended span waits in the process: what a SIGKILL would lose."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from runspan.providers import CarefulExporter


@pytest.mark.parametrize(("variable", "delay_ms"), [(None, 1_000), ("2500", 2_500), ("", 1_000)])
def test_spans_leave_within_a_second_or_what_the_variable_says(
    variable: str | None, delay_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is None:
        monkeypatch.delenv("OTEL_BSP_SCHEDULE_DELAY", raising=False)
    else:
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", variable)
    made, init = [], BatchSpanProcessor.__init__

    def noted(self: Any, exporter: Any, *args: Any, schedule_delay_millis: float | None = None) -> None:
        delay = schedule_delay_millis or BatchSpanProcessor._default_schedule_delay_millis()
        made.append(delay)
        init(self, exporter, *args, schedule_delay_millis=schedule_delay_millis)

    monkeypatch.setattr(BatchSpanProcessor, "__init__", noted)
    CarefulExporter("a place", InMemorySpanExporter()).batched().shutdown()
    assert made == [delay_ms]
