"""A few of many combinations for `make test`; the others are marked `wide`, for `make test-wide`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

import pytest


def wide(*values: Any) -> list[Any]:
    """Parameters that `make test` leaves out."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.wide)
        for value in values
    ]


def few(values: Iterable[Any], is_kept: Callable[[Any], bool]) -> list[Any]:
    """All of them; those that are not kept are wide."""
    return [one for value in values for one in ([value] if is_kept(value) else wide(value))]


def every(step: int, *parts: Sequence[Any]) -> list[Any]:
    """The combinations of `parts`, of which each `step`th stays. With a step prime to their lengths, each value stays."""
    combinations = list(product(*parts)) if len(parts) > 1 else list(parts[0])
    return [one for at, value in enumerate(combinations) for one in (wide(value) if at % step else [value])]
