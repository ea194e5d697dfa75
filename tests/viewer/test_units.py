"""Numbers as people read them."""

from __future__ import annotations

import pytest

from runspan.viewer.units import count, moment, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (3.2, "3.20 s"),
        (99.994, "99.99 s"),
        (99.996, "100 s"),
        (5_999, "5999 s"),
        (6_000, "100 min"),
        (360_000, "100 h"),
        (8_640_000, "100 d"),
    ],
)
def test_seconds(value: float, expected: str) -> None:
    assert seconds(value) == expected


def test_count() -> None:
    assert [count(n, "poll") for n in (0, 1, 2)] == ["0 polls", "1 poll", "2 polls"]


def test_moment() -> None:
    assert moment(1_767_607_200_123_456_789) == "2026-01-05 10:00:00.123 UTC"
