"""How much is thrown: little and always the same in `make test`; `make fuzz` asks for more, and for new ones each time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
QUICK = 12

settings.register_profile(
    "quick",
    max_examples=QUICK,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "long",
    max_examples=int(os.environ.get("RUNSPAN_FUZZ_EXAMPLES", "0")) or QUICK,
    database=None,
    deadline=None,
    suppress_health_check=SLOW,
    print_blob=True,
)
settings.load_profile("long" if "RUNSPAN_FUZZ_EXAMPLES" in os.environ else "quick")


def seeds(quick: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A property of what grows from a seed, by `random.Random(seed)`: for `quick` seeds in `make test`, for more in `make fuzz`."""
    often = settings(max_examples=max(quick, settings.default.max_examples))

    def decorated(test: Callable[..., Any]) -> Callable[..., Any]:
        return often(given(seed=st.integers(0, 2**32 - 1))(test))

    return decorated


@settings(max_examples=1)
@given(st.none())
def warm_up(_: None) -> None:
    """At its first example, Hypothesis makes random numbers and looks who holds them: nobody, of what gc froze before."""
