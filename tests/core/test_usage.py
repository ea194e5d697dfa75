"""What a run used, as it is told: by the run itself, or in pieces by the calls of its model."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.model import MODEL_CALL, Outcome, Phase, RunRequest, RunStep, Usage
from runspan.core.usage import total, usage_of
from tests.core.words import begun

CALLS = {
    "a": RunStep("a", MODEL_CALL, usage=Usage(100, 10, cached_tokens=3)),
    "b": RunStep("b", MODEL_CALL, usage=Usage(200, 20, reasoning_tokens=4)),
    "c": RunStep("c", "tool_calls", usage=Usage(9, 9)),
}


def over(**more: Any) -> Any:
    state = replace(
        begun(0, 0), phase=Phase.OVER, over_streamed=True, request=RunRequest(stream=True), steps=CALLS
    )
    return replace(state, run=replace(state.run, outcome=Outcome.COMPLETED), **more)


def test_the_calls_of_the_model_tell_it_where_the_run_does_not() -> None:
    assert usage_of(over()) == Usage(300, 30, 3, 4)


def test_what_the_run_tells_holds() -> None:
    state = over()
    assert usage_of(replace(state, run=replace(state.run, usage=Usage(1, 2)))) == Usage(1, 2)


@pytest.mark.parametrize(
    "lacking",
    [
        {"steps": {}},
        {"steps": {"c": CALLS["c"]}},
        {"over_streamed": False},
        {"request": RunRequest()},
        {"phase": Phase.ACTIVE},
    ],
    ids=lambda lacking: next(iter(lacking)),
)
def test_a_part_of_it_is_not_given_as_the_whole(lacking: dict[str, Any]) -> None:
    assert usage_of(over(**lacking)) is None


def test_a_sum_has_the_details_that_somebody_told() -> None:
    assert total([]) == Usage(0, 0)
    assert total([Usage(1, 2, 3, 4, 5), Usage(1, 1), Usage(1, 1, 1, None, 1)]) == Usage(3, 4, 4, 4, 6)
