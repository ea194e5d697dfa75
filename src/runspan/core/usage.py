"""What a run used: as the run itself tells, else as the calls of its model did."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import astuple

from .lifecycle import RunState
from .model import MODEL_CALL, Outcome, Usage


def usage_of(state: RunState) -> Usage | None:
    """None: nobody told, or not of all calls."""
    if state.run.usage is not None or not state.is_over:
        return state.run.usage
    told = [step.usage for step in state.steps.values() if step.type == MODEL_CALL and step.usage]
    is_all = state.over_streamed and state.request.stream
    return total(told) if told and is_all else None


def is_missing(state: RunState) -> bool:
    """Whether the server of a completed run sends no token counts."""
    return state.run.outcome is Outcome.COMPLETED and usage_of(state) is None


def total(parts: Iterable[Usage]) -> Usage:
    """The sum; of a detail that none of them tells, None."""
    told = zip(*map(astuple, (Usage(0, 0), *parts)), strict=True)
    return Usage(*(None if set(each) == {None} else sum(filter(None, each)) for each in told))  # type: ignore[arg-type]
