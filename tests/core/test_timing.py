"""Where the end and the changes of a run lie, by the design's rule, with a fixed clock."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runspan.core import timing
from runspan.core.lifecycle import RunState
from runspan.core.model import Observation, RunStep
from runspan.core.timing import Entry, Moment
from tests.core.words import A, S, begun, call, event, poll, submit
from tests.core.words import after as after_all

MS = S // 1000


def after(*observations: Observation, state: RunState | None = None) -> RunState:
    """A run whose creation was answered in no time, so its stamps are exact to a second either way."""
    return after_all(*observations, state=state or begun(0, 0))


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
    alive_ns, over_ns = observations[-2].request_ns, last.response_ns
    low = max(alive_ns, first.request_ns + (since_ns - 1) * S)
    high = min(over_ns, first.response_ns + (since_ns + 1) * S)
    if last.runs[0].ended_at is None or low > high:
        return Moment((alive_ns + over_ns) // 2, over_ns - alive_ns)
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


# ---------------------------------------------------------------- entries and sums


def entries(state: RunState) -> list[tuple[str, int]]:
    return [(e.status, e.moment.at_ns) for e in timing.timeline(state).entries]


def test_a_streamed_run_on_our_clock() -> None:
    asks = event(4 * S, "requires_action", required=(call("c1"),))
    state = after(
        *(event(S, "queued"), event(2 * S, "in_progress"), asks, submit(7 * S, 8 * S, c1="1")),
        *(event(9 * S, "in_progress"), event(12 * S, "cancelling"), event(14 * S, "cancelled")),
        state=begun(0, S),
    )
    line = timing.timeline(state)
    assert entries(state) == [
        *(("queued", S), ("in_progress", 2 * S), ("requires_action", 4 * S), ("queued", 7 * S)),
        *(("in_progress", 9 * S), ("cancelling", 12 * S), ("cancelled", 14 * S)),
    ]
    assert (line.start_ns, line.end, line.active_from_ns) == (0, Moment(14 * S), 2 * S)
    assert (line.queue_ns, line.active_ns, line.tool_wait_ns) == (4 * S, 7 * S, 3 * S)


def test_in_progress_that_nobody_saw_is_placed_by_started_at() -> None:
    state = after(poll(0, 0, "queued"), poll(9 * S, 10 * S, "completed", started_at=A + 3, ended_at=A + 7))
    assert timing.timeline(state).entries == (
        Entry("queued", Moment(0)),
        Entry("in_progress", Moment(3 * S, 2 * S, by_server=True)),
        Entry("completed", Moment(7 * S, 2 * S, by_server=True)),
    )
    assert timing.timeline(state).active_from_ns == 3 * S


@pytest.mark.parametrize("first", ["in_progress", "requires_action"])
def test_a_run_that_starts_at_once_is_in_progress_once(first: str) -> None:
    state = after(
        poll(0, 0, first, started_at=A, required=(call("c1"),)),
        poll(9 * S, 10 * S, "completed", started_at=A, ended_at=A + 7),
    )
    expected = ["in_progress", "completed"] if first == "in_progress" else ["in_progress", first, "completed"]
    assert [e.status for e in timing.timeline(state).entries] == expected
    assert timing.timeline(state).active_from_ns == 0


def test_only_the_first_queued_is_placed_by_created_at() -> None:
    state = after(
        poll(20 * S, 30 * S, "queued"),
        poll(31 * S, 32 * S, "requires_action", required=(call("c1"),)),
        poll(40 * S, 42 * S, "queued"),
        poll(50 * S, 52 * S, "completed"),
    )
    assert timing.timeline(state).entries == (
        Entry("queued", Moment(S // 2, S, by_server=True)),
        Entry("requires_action", Moment(26 * S, 12 * S)),
        Entry("queued", Moment(73 * S // 2, 11 * S)),
        Entry("completed", Moment(46 * S, 12 * S)),
    )


START, STOP = event(S, "in_progress"), event(9 * S, "completed", started_at=A + 1)
ASKS, AGAIN = event(3 * S, "requires_action", required=(call("c1"),)), event(5 * S, "queued")


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        ((START, STOP), ["in_progress", "completed"]),  # it was seen, the stamp came late
        (
            (START, ASKS, AGAIN, STOP),
            ["in_progress", "requires_action", "queued", "in_progress", "completed"],
        ),
        (
            (
                event(S, "in_progress", started_at=A + 1),
                ASKS,
                AGAIN,
                STOP,
            ),  # the stamp is the first one's still
            ["in_progress", "requires_action", "queued", "completed"],
        ),
    ],
)
def test_started_at_makes_an_entry_where_none_was_seen(
    observations: tuple[Observation, ...], expected: list[str]
) -> None:
    assert [status for status, _ in entries(after(*observations))] == expected


def test_in_progress_that_nobody_saw_lies_before_the_end() -> None:
    state = after(poll(0, 0, "queued"), poll(9 * S, 10 * S, "completed", started_at=A + 7, ended_at=A + 7))
    assert timing.timeline(state).entries[1:] == (
        Entry("in_progress", Moment(13 * S // 2, S, by_server=True)),
        Entry("completed", Moment(7 * S, 2 * S, by_server=True)),
    )


def test_a_run_that_is_not_over_counts_until_it_was_last_heard_of() -> None:
    line = timing.timeline(after(poll(0, 0, "queued"), poll(2 * S, 4 * S, "in_progress")))
    assert (line.end, line.queue_ns, line.active_ns, line.tool_wait_ns) == (Moment(4 * S), 2 * S, 2 * S, 0)


def test_no_run_ends_before_it_began() -> None:
    line = timing.timeline(after(event(5 * S, "completed"), state=begun(10 * S, 11 * S)))
    assert (line.start_ns, line.end) == (10 * S, Moment(10 * S))


def test_a_stamp_that_changes_when_the_run_goes_on_places_only_what_it_was_given_for() -> None:
    """Real servers set `started_at` anew after `submit_tool_outputs` (recordings/dotnet_function_tools_poll)."""
    state = after(
        poll(0, 0, "queued"),
        poll(4 * S, 4 * S, "in_progress", started_at=A + 1),
        poll(5 * S, 5 * S, "requires_action", started_at=A + 1, required=(call("c1"),)),
        submit(6 * S, 6 * S, c1="1"),
        poll(20 * S, 20 * S, "in_progress", started_at=A + 4),
        poll(21 * S, 21 * S, "completed", started_at=A + 4, ended_at=A + 20),
    )
    (_, first, *_) = timing.timeline(state).entries
    assert first == Entry("in_progress", Moment(S, 2 * S, by_server=True))


def test_a_run_without_started_at_is_taken_as_active_from_its_start() -> None:
    state = after(poll(0, 10, "queued"), poll(90, 100, "completed"), state=begun(0, 10))
    assert timing.timeline(state).active_from_ns == 0


def test_entries_never_leave_the_run_nor_go_back() -> None:
    """Answers that came after the run had ended by the server's stamp."""
    state = after(
        poll(0, 10, "queued"),
        poll(S, 40 * S, "in_progress", started_at=A + 20),
        poll(2 * S, 41 * S, "completed", started_at=A + 20, ended_at=A + 5),
    )
    line = timing.timeline(state)
    moments = [line.start_ns, *(e.moment.at_ns for e in line.entries)]
    assert moments == sorted(moments)
    assert moments[-1] == line.end.at_ns


def test_the_status_of_later_days_goes_on_in_the_present_phase() -> None:
    state = after(
        event(10, "in_progress"), event(30, "meditating"), event(50, "completed"), state=begun(0, 5)
    )
    line = timing.timeline(state)
    assert [e.status for e in line.entries] == ["in_progress", "meditating", "completed"]
    assert (line.queue_ns, line.active_ns, line.tool_wait_ns) == (10, 40, 0)


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
