"""The changes of a run in order, with the time spent in each phase."""

from __future__ import annotations

import pytest

from runspan.core import timing
from runspan.core.lifecycle import RunState
from runspan.core.model import Observation
from runspan.core.timing import Moment
from tests.core.words import MS, A, S, begun, call, entry, event, poll, submit
from tests.core.words import at_once as after


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
        entry("queued", Moment(0)),
        entry("in_progress", Moment(3 * S, 2 * S, by_server=True)),
        entry("completed", Moment(7 * S, 2 * S, by_server=True)),
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
        entry("queued", Moment(S // 2, S, by_server=True)),
        entry("requires_action", Moment(26 * S, 12 * S)),
        entry("queued", Moment(73 * S // 2, 11 * S)),
        entry("completed", Moment(46 * S, 12 * S)),
    )


def test_a_run_that_queues_again_at_once_is_not_placed_by_created_at() -> None:
    state = after(
        poll(0, 0, "queued"),
        poll(100 * MS, 200 * MS, "requires_action", required=(call("c1"),)),
        poll(300 * MS, 900 * MS, "queued"),
    )
    assert timing.timeline(state).entries[2] == entry("queued", Moment(500 * MS, 800 * MS))


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
        (
            (
                *(event(S, "in_progress", started_at=A + 1), ASKS),
                *(event(5 * S, "queued", started_at=A + 4), event(9 * S, "completed", started_at=A + 4)),
            ),
            ["in_progress", "requires_action", "queued", "in_progress", "completed"],
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
        entry("in_progress", Moment(13 * S // 2, S, by_server=True)),
        entry("completed", Moment(7 * S, 2 * S, by_server=True)),
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
    assert first == entry("in_progress", Moment(S, 2 * S, by_server=True))


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
