"""How many GETs a server may get."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runspan.runtime import budget
from runspan.runtime.budget import Budget

SECOND = 1_000_000_000


def sent_within(found: Budget, until_ns: int, at_ns: int = 0) -> int:
    """How many GETs go out if there is always one that waits."""
    sent = 0
    while (ready_ns := found.ready_ns(at_ns)) <= until_ns and sent < 10_000:
        at_ns = ready_ns
        found.take(at_ns)
        sent += 1
    return sent


def test_without_calls_of_the_app_there_are_five_a_second() -> None:
    assert sent_within(Budget(), 10 * SECOND) == 1 + 10 * 5


def test_there_is_one_for_every_two_calls_at_once() -> None:
    found = Budget()
    found.earn(200)
    assert sent_within(found, 0) == 100


def test_what_is_saved_up_is_bounded() -> None:
    found = Budget()
    for _ in range(100):
        found.earn(1_000)
    assert sent_within(found, 0) == budget.MAX_CALLS // budget.CALLS_PER_GET


@given(st.lists(st.tuples(st.integers(0, SECOND), st.integers(0, 40)), max_size=60))
def test_never_more_than_a_half_of_the_calls_or_five_a_second_and_never_less_than_the_larger(
    gaps: list[tuple[int, int]],
) -> None:
    found, now_ns, calls, sent = Budget(), 0, 0, 0
    for gap_ns, made in gaps:
        sent += sent_within(found, now_ns + gap_ns, now_ns)
        now_ns += gap_ns
        found.earn(made)
        calls += made
    sent += sent_within(found, now_ns, now_ns)
    paced = now_ns // budget.INTERVAL_NS
    assert max(calls // 2, paced) <= sent <= calls // 2 + paced + 1
