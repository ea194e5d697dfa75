"""How wild: a little in `make test`, the numbers of a bad day in `make chaos` (RUNSPAN_CHAOS=1)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

IS_WILD = bool(os.environ.get("RUNSPAN_CHAOS"))


@pytest.fixture(autouse=True)
def switching_often() -> Iterator[None]:
    """Threads change places a thousand times as often as usual, so that what may go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def many() -> int:
    """How many times as much."""
    return 10 if IS_WILD else 1
