"""Numbers as people read them."""

from __future__ import annotations

import pytest

from runspan.viewer.units import count, moment, money, seconds, spread


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0 ms"),
        (0.0004, "400 µs"),
        (0.00099951, "1 ms"),
        (0.0000026, "3 µs"),
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


@pytest.mark.parametrize(
    ("value", "width", "expected"),
    [
        (1.75, None, "1.75 s"),
        (1.75, 0.0, "1.75 s"),
        (1.75, 0.06, "1.75 s"),  # below two percent, no digit changes
        (0.509, 0.49, "0.5 ± 0.2 s"),
        (9.2, 1.0, "9.2 ± 0.5 s"),
        (0.05, 0.06, "50 ± 30 ms"),
        (120.0, 60.0, "120 ± 30 s"),
        (0.679, 0.124, "680 ± 60 ms"),
        (0.509, 1.98, "1 ± 1 s"),
    ],
)
def test_a_guessed_time_has_the_digits_that_are_true(
    value: float, width: float | None, expected: str
) -> None:
    assert spread(value, width) == expected


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [
        (0, "$0"),
        (12.5, "$12.50"),
        (1234.5, "$1,234.50"),
        (0.25, "$0.25"),
        (0.0125, "$0.0125"),
        (0.0000153, "$0.000015"),
        (1e-12, "<$0.0000001"),
    ],
)
def test_money_is_written_as_people_write_it(dollars: float, expected: str) -> None:
    assert money(dollars) == expected
