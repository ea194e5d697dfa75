"""Our own swallowed errors, made visible and fatal."""

from __future__ import annotations

import pytest

from runspan import guard
from runspan.testing import strict, swallowed


def fail(site: str) -> None:
    with guard.guarded(site):
        raise ValueError("ours")


@pytest.mark.expects_swallowed
def test_swallowed_errors_are_listed_while_the_block_runs() -> None:
    with swallowed() as seen:
        fail("read a poll")
    fail("later")
    assert [(one.site, type(one.error)) for one in seen] == [("read a poll", ValueError)]


@pytest.mark.expects_swallowed
def test_strict_makes_them_fatal() -> None:
    with pytest.raises(AssertionError, match=r"(?s)of its own:.read a poll: .*ValueError: ours"), strict():
        fail("read a poll")


def test_strict_is_silent_without_them() -> None:
    with strict():
        pass
