from __future__ import annotations

import pytest

from runspan.viewer.store import RunFilter, Store
from runspan.viewer.store.stats import percentile

from ..runs import a_run
from .conftest import Put


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


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 5), (0.95, 10), (0.1, 1), (0.11, 2), (0.9, 9), (1.0, 10)]
)
def test_percentiles_are_by_nearest_rank(share: float, expected: int) -> None:
    assert percentile(list(range(1, 11)), share) == expected
    assert percentile([7.0], share) == 7.0
