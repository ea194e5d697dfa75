"""Where the end and the changes of a run lie, by the design's rule, with a fixed clock."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runspan.core import timing
from runspan.core.lifecycle import RunState
from runspan.core.model import Observation, RunStep
from runspan.core.timing import Moment
from tests.core.words import MS, A, S, begun, event, poll
from tests.core.words import at_once as after


def polled(interval_ns: int, skew_s: float, ends_at_ns: int, status: str = "completed") -> list[Observation]:
    """A run created at 0.05 s of our clock and over at `ends_at_ns`, polled every `interval_ns` with 100 ms a poll.

    The server's clock is `skew_s` ahead and answers in the middle of each poll; its stamps are cut to whole seconds.
    """

    def stamp(at_ns: int) -> int:
        return int((at_ns / S + skew_s + A) // 1)

    told = {"created_at": stamp(50 * MS), "started_at": stamp(200 * MS)}
    found = [poll(0, 100 * MS, "queued", created_at=told["created_at"])]
    at_ns = 100 * MS
    while "completed_at" not in told:
        if at_ns + 50 * MS >= ends_at_ns:
            told["completed_at"] = stamp(ends_at_ns)
        is_over = "completed_at" in told
        fields = {"created_at": told["created_at"], "started_at": told["started_at"]}
        ended = {"ended_at": told["completed_at"]} if is_over and status != "incomplete" else {}
        found.append(poll(at_ns, at_ns + 100 * MS, status if is_over else "in_progress", **fields, **ended))
        at_ns += interval_ns
    return found


def by_the_rule(observations: list[Observation]) -> Moment:
    """The design's sentence, written out."""
    first, last = observations[0], observations[-1]
    since_ns = (last.runs[0].ended_at or 0) - (first.runs[0].created_at or 0)
    alive_ns, ended_ns = observations[-2].request_ns, last.response_ns
    low = max(alive_ns, first.request_ns + (since_ns - 1) * S)
    high = min(ended_ns, first.response_ns + (since_ns + 1) * S)
    if last.runs[0].ended_at is None or low > high:
        return Moment((alive_ns + ended_ns) // 2, ended_ns - alive_ns)
    return Moment((low + high) // 2, high - low, by_server=True)


def state_of(observations: list[Observation]) -> RunState:
    first = observations[0]
    return after(
        *observations, state=begun(first.request_ns, first.response_ns, created_at=first.runs[0].created_at)
    )


@pytest.mark.parametrize("interval_ns", [100 * MS, 5 * S])
@pytest.mark.parametrize("skew_s", [0.0, 90.37, -90.37, 90.0, -90.0, 0.96])
@pytest.mark.parametrize("ends_at_ns", [300 * MS, 2_310 * MS, 12_999 * MS, 61_000 * MS])
@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "incomplete"])
def test_the_end_of_a_polled_run_is_the_designs_rule(
    interval_ns: int, skew_s: float, ends_at_ns: int, status: str
) -> None:
    observations = polled(interval_ns, skew_s, ends_at_ns, status)
    found = timing.end(state_of(observations))
    assert found == by_the_rule(observations)
    assert abs(found.at_ns - ends_at_ns) <= found.width_ns / 2
    assert found.width_ns <= min(interval_ns + 100 * MS, 2 * S + 100 * MS) or status == "incomplete"


@pytest.mark.parametrize(
    ("stamp", "earliest_ns", "latest_ns", "expected"),
    [
        (A + 3, 0, 10 * S, Moment(3 * S, 2 * S, by_server=True)),
        (A + 3, 5 * S // 2, 10 * S, Moment(13 * S // 4, 3 * S // 2, by_server=True)),
        (A + 3, 0, 3 * S, Moment(5 * S // 2, S, by_server=True)),
        (A + 3, 4 * S, 10 * S, Moment(4 * S, 0, by_server=True)),  # just possible
        (A + 3, 4 * S + 2, 10 * S, Moment(7 * S + 1, 6 * S - 2)),  # impossible
        (A + 3, 3 * S, 3 * S, Moment(3 * S)),  # known without it
        (A + 3, 5 * S, 3 * S, Moment(3 * S)),
        (None, 2, 11, Moment(6, 9)),
        (A + 3, 0, 3 * S + 1, Moment(5 * S // 2, S + 1, by_server=True)),
    ],
)
def test_a_moment_is_the_middle_of_what_is_possible(
    stamp: int | None, earliest_ns: int, latest_ns: int, expected: Moment
) -> None:
    assert timing.place(begun(0, 0), stamp, earliest_ns, latest_ns) == expected


def test_how_long_the_creation_took_widens_what_a_stamp_can_mean() -> None:
    state = begun(S, 2 * S)
    assert timing.place(state, A + 3, 0, 10 * S) == Moment(9 * S // 2, 3 * S, by_server=True)
    assert timing.place(replace(state, created_at=None), A + 3, 0, 10 * S) == Moment(5 * S, 10 * S)


def test_when_a_run_would_have_expired_says_nothing_of_one_that_did_not() -> None:
    known = {"expires_at": A + 5}
    state = after(poll(0, 0, "queued", **known), poll(8 * S, 10 * S, "completed", **known))
    assert timing.end(state) == Moment(5 * S, 10 * S)
    state = after(poll(0, 0, "queued", **known), poll(8 * S, 10 * S, "expired", ended_at=A + 7, **known))
    assert timing.end(state) == Moment(7 * S, 2 * S, by_server=True)


def test_stamps_that_contradict_the_polls_are_not_believed() -> None:
    state = after(
        poll(0, 10, "queued"),
        poll(3 * S, 4 * S, "in_progress"),
        poll(5 * S, 6 * S, "completed", ended_at=A + 60),
    )
    assert timing.end(state) == Moment(4_500_000_000, 3 * S)


def test_the_end_of_a_streamed_run_is_the_arrival_of_its_event() -> None:
    state = after(event(10, "queued"), event(7 * S, "completed", ended_at=A + 3))
    assert timing.end(state) == Moment(7 * S)


def test_an_event_read_late_does_not_push_the_end_of_a_run_that_was_then_polled() -> None:
    """The app was slow to read its stream and closed it: the event tells nothing of the time after it was sent."""
    observations = [
        *(poll(0, 0, "queued"), event(3 * S, "in_progress", started_at=A)),
        poll(3_100 * MS, 3_200 * MS, "completed", started_at=A, ended_at=A + 1),
    ]
    found = timing.end(after(*observations))
    assert found == Moment(S, 2 * S, by_server=True)


@pytest.mark.parametrize("still_says", [True, False])
def test_an_expired_run_ended_when_it_was_due_to(still_says: bool) -> None:
    """There is no `expired_at`; some servers empty `expires_at` once a run is over."""
    known = {"expires_at": A + 600}
    end = {"expires_at": A + 600, "ended_at": A + 600} if still_says else {"expires_at": None}
    state = after(
        poll(0, 0, "queued", **known),
        poll(500 * S, 501 * S, "queued"),
        poll(900 * S, 901 * S, "expired", **end),
    )
    assert timing.end(state) == Moment(600 * S, 2 * S, by_server=True)


def test_a_run_whose_end_was_never_seen_ends_when_it_was_last_heard_of() -> None:
    assert timing.end(begun(0, 10)) == Moment(10)
    assert timing.end(after(poll(20, 90, "in_progress"), poll(30, 40, "in_progress"))) == Moment(90)


def test_without_created_at_no_stamp_is_placed() -> None:
    state = replace(begun(), created_at=None)
    state = after(poll(20, 30, "in_progress"), poll(40, 50, "completed", ended_at=A), state=state)
    assert timing.end(state) == Moment(35, 30)


# ---------------------------------------------------------------- steps


def test_steps_are_placed_by_their_stamps_inside_what_is_possible() -> None:
    def placed(lower_ns: int = 0, **fields: int) -> tuple[int, int]:
        return timing.place_step(begun(0, 0), RunStep("s1", "tool_calls", **fields), lower_ns, 10 * S)  # type: ignore[arg-type]

    assert placed(created_at=A + 2, ended_at=A + 4) == (2 * S, 4 * S)
    assert placed(S) == (S, 10 * S)
    start_ns, end_ns = placed(created_at=A + 4, ended_at=A + 2)
    assert 0 <= start_ns <= end_ns <= 10 * S


def test_a_step_that_was_streamed_lies_where_its_events_arrived_and_its_stamps_fill_the_rest() -> None:
    def placed(**fields: int) -> tuple[int, int]:
        return timing.place_step(begun(0, 0), RunStep("s1", "tool_calls", **fields), 0, 10 * S)  # type: ignore[arg-type]

    assert placed(created_at=A + 2, ended_at=A + 4, seen_ns=S, done_ns=3 * S) == (S, 3 * S)
    assert placed(created_at=A + 2, ended_at=A + 4, seen_ns=S) == (S, 4 * S)
    assert placed(created_at=A, ended_at=A, seen_ns=3 * S) == (3 * S, 6.5 * S), "a stamp that cannot be true"
