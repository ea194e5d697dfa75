from __future__ import annotations

import pytest

from runspan.viewer.store import RunFilter, Store
from runspan.viewer.store.numbers import percentile, totals

from ..runs import a_run
from .conftest import Put
from .test_arrange import agent, call


def test_runs_are_summed_by_assistant_and_model(store: Store, put: Put) -> None:
    for n in range(1, 6):
        put(*a_run(n, status="failed" if n == 5 else "completed", queue_s=n / 10))
    put(*a_run(6, more={"gen_ai.agent.name": "Other"}))
    first, second = store.stats()
    assert (first.name, first.model, first.runs, first.failed) == ("Weather", "gpt-4o-2024", 5, 1)
    assert (first.p50_s, first.p95_s, first.queue_p50_s) == (1.75, 1.75, 0.3)
    assert (first.input_tokens, first.output_tokens, first.cost) == (600, 90, pytest.approx(0.0625))
    assert (second.name, second.runs) == ("Other", 1)
    assert [stat.runs for stat in store.stats(RunFilter(status="failed"))] == [1]
    assert store.stats(RunFilter(name="nobody")) == []


@pytest.mark.parametrize(("percent", "expected"), [(50, 5.5), (95, 9.55), (0, 1), (100, 10), (90, 9.1)])
def test_percentiles_lie_between_the_nearest_two(percent: float, expected: float) -> None:
    assert percentile(list(range(10, 0, -1)), percent) == pytest.approx(expected)
    assert percentile([7.0], percent) == 7.0
    assert percentile([], percent) is None


def test_runs_inside_runs_are_counted_and_not_summed_twice(store: Store, put: Put) -> None:
    put(agent(1, 0, "outer"), call(2, 1, 10), agent(3, 1, "inner"), call(4, 3, 5))
    found = {stat.name: (stat.runs, stat.input_tokens) for stat in store.stats()}
    assert found == {"outer": (1, 15), "inner": (1, None)}
    whole = totals(store.groups_of_numbers(RunFilter(), ["assistant"]))
    assert (whole.runs, whole.sums["input_tokens"], whole.unknown["cost_usd"]) == (2, 15, 1)


def test_numbers_by_day(store: Store, put: Put) -> None:
    put(*a_run(1), *a_run(2, at_ms=86_400_000), *a_run(3, at_ms=86_400_000, status="expired"))
    days = {
        group.keys["day"]: (group.runs, group.failed)
        for group in store.groups_of_numbers(RunFilter(), ["day"])
    }
    assert days == {"2026-01-05": (1, 0), "2026-01-06": (2, 1)}
