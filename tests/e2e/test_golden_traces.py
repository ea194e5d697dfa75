"""Whole traces, kept as files in tests/traces: polled and streamed, sync and async equal. `pytest --update` rewrites them."""

from __future__ import annotations

from typing import Any

import pytest
from golden_cases import CASES, POLLED, Case, play
from tests.support import golden
from tests.support.playing import BOTH, playing
from tests.support.tracing import traced

# Of the owner, so that no price list of a later day changes a trace. In USD per million tokens.
PRICES = {model: {"input": 2.0, "cached": 1.0, "output": 8.0} for model in ("gpt-4o-mini", "gpt-4.1")}
PLAYS = [(name, way) for name, case in CASES.items() for way in case.ways]


def trace_of(case: Case, way: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Polled with one clock for both sides, so with times; streamed in real time, so without."""
    is_timed = way == POLLED
    with playing(kind, case.scenario) as app:

        def played() -> dict[str, Any]:
            with traced(prices=PRICES) as trace:
                app.play(lambda one: play(one, case, way))
                trace.handle.uninstrument()
                return golden.tree(trace.spans(), trace.run(), is_timed=is_timed)

        if not is_timed:
            with golden.app_keeps_up(monkeypatch):
                return played()
        with golden.one_clock(monkeypatch, app.server.clock):
            return played()


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("name", "way"), PLAYS, ids=lambda value: value)
def test_the_trace_is_the_one_that_is_kept(
    name: str, way: str, kind: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    found = trace_of(CASES[name], way, kind, monkeypatch)
    golden.check(f"{name}.{way}", found, update=request.config.getoption("--update"))


def test_every_file_belongs_to_a_scenario() -> None:
    assert {path.stem for path in golden.TRACES.glob("*.json")} == {f"{name}.{way}" for name, way in PLAYS}
