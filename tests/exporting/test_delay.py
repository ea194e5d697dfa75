"""How long an ended span waits in the process: what a SIGKILL would lose."""

from __future__ import annotations

import pytest

import runspan


@pytest.mark.parametrize(("variable", "delay_s"), [(None, 1.0), ("2500", 2.5), ("", 1.0)])
def test_spans_leave_within_a_second_or_what_the_variable_says(
    variable: str | None, delay_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", variable)
    handle = runspan.instrument(exit_timeout_s=0, endpoint="http://127.0.0.1:9")
    try:
        (exporter,) = handle._providers._exporters
        assert exporter.batched()._delay_s == delay_s
    finally:
        runspan.uninstrument()
