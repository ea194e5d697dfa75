"""The order of a page is that of its stamps; what was asked for counts where they don't tell."""

from __future__ import annotations

import pytest

from runspan.core.order import oldest_first


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    ("moments", "is_ascending"),
    [
        ([1, 2, 3], True),
        ([3, 2, 1], False),
        ([1, 1, 2], True),
        ([1, 3, 2, 4], True),
        ([1, None, 3], True),
        ([None, 3, None, 1], False),
        ([2, 2], None),
        ([1, 2, 1], None),
        ([None, None], None),
        ([1], None),
        ([], None),
    ],
)
def test_rows_of_a_page(moments: list[float | None], is_ascending: bool | None, asked: bool) -> None:
    rows = list(range(len(moments)))
    found, is_listed_so, is_told = oldest_first(rows, moments, is_ascending=asked)
    assert is_told is (is_ascending is not None)
    assert is_listed_so is (asked if is_ascending is None else is_ascending)
    assert sorted(found) == rows
    if None in moments or not is_told:
        assert list(found) == (rows if is_listed_so else rows[::-1])
    else:
        assert [moments[row] for row in found] == sorted(m for m in moments if m is not None)


def test_rows_of_one_moment_stay_in_the_servers_order() -> None:
    assert oldest_first("abcd", [2, 2, 1, 1], is_ascending=True)[0] == ("d", "c", "b", "a")
    assert oldest_first("abcd", [1, 1, 2, 2], is_ascending=False)[0] == ("a", "b", "c", "d")
