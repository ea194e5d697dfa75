from __future__ import annotations

import pytest
from msgspec.structs import replace

from runspan.apis.assistants.statuses import RUN
from runspan.core.lifecycle import MAX_CHANGES, Change, RunState
from runspan.core.model import Phase, Source, Usage
from tests.core.words import (
    ALIVE,
    OVER,
    after,
    begun,
    call,
    change,
    event,
    poll,
    queued,
    run,
    seen,
    statuses,
    submit,
)

LATER, EARLIER = 1_000, 1  # asked for after, and before, the present status was seen (at 100)

# Present status: the statuses that are taken when asked for later, and those taken when asked for earlier.
TAKEN: dict[str, tuple[set[str], set[str]]] = {
    "queued": (
        {"in_progress", "requires_action", "cancelling", *OVER},
        {"in_progress", "requires_action", "cancelling", *OVER},
    ),
    "in_progress": (
        {"queued", "requires_action", "cancelling", *OVER},
        {"requires_action", "cancelling", *OVER},
    ),
    "requires_action": ({"queued", "in_progress", "cancelling", *OVER}, {"cancelling", *OVER}),
    "cancelling": (set(OVER), set(OVER)),
    **{status: (set(), set()) for status in OVER},
}
PAIRS = [
    pytest.param(present, status, when, id=f"{present}-{status}-{when}")
    for present in TAKEN
    for status in (*ALIVE, *OVER)
    for when in ("later", "earlier")
    if status != present
]


@pytest.mark.parametrize(("present", "status", "when"), PAIRS)
def test_a_status_is_taken_or_not_by_the_table(present: str, status: str, when: str) -> None:
    state = after(poll(90, 100, present))
    later, earlier = TAKEN[present]
    is_taken = status in (later if when == "later" else earlier)
    at_ns = LATER if when == "later" else EARLIER

    state = after(poll(at_ns, at_ns + 200, status), state=state)

    expected = status if is_taken else present
    assert (state.run.status, state.phase) == (expected, RUN[expected][0])
    assert statuses(state) == [present, status] if is_taken else [present]
    assert state.is_over is (expected in OVER)


@pytest.mark.parametrize("status", [*ALIVE, *OVER])
def test_every_status_may_be_the_first_one_seen(status: str) -> None:
    state = after(poll(90, 100, status))
    assert (state.run.status, state.phase) == (status, RUN[status][0])
    assert state.changes == (Change(status, RUN[status][0], 0, 100),)


@pytest.mark.parametrize("status", OVER)
def test_what_a_later_terminal_answer_adds_is_kept_and_its_status_is_not(status: str) -> None:
    state = queued(poll(20, 30, "completed", usage=None), poll(40, 50, status, usage=Usage(3, 4), ended_at=7))
    assert state.run.status == "completed"
    assert (state.run.usage, state.run.ended_at) == (Usage(3, 4), 7)


def test_a_run_that_says_no_status_changes_nothing_but_counts_as_a_poll() -> None:
    before = queued()
    state = after(poll(20, 30, None), state=before)
    assert state.changes == before.changes
    assert (state.run.status, state.polls) == ("queued", 2)


def test_observations_of_other_runs_change_nothing() -> None:
    before = queued()
    other = seen(20, 30, run("completed", id="run_2"), run_id="run_2", polls=1)
    assert after(other, state=before) == before


@pytest.mark.parametrize("back", ["queued", "in_progress", "requires_action"])
def test_the_status_of_later_days_is_kept_as_the_last_one_and_the_phase_stays(back: str) -> None:
    before = after(poll(0, 10, back, required=(call("c1"),)))
    state = after(poll(20, 30, "meditating"), state=before)
    assert (state.run.status, state.phase) == ("meditating", before.phase)
    assert statuses(state) == [back, "meditating"]

    state = after(poll(40, 50, back, required=(call("c1"),)), state=state)
    assert (state.run.status, state.phase) == (back, before.phase), (
        "the last status the API gave is the run's"
    )
    assert len(state.rounds) == len(before.rounds)


def test_a_status_of_later_days_that_is_told_twice_is_one() -> None:
    once = after(poll(0, 10, "queued"), poll(20, 30, "meditating"))
    assert after(poll(20, 30, "meditating"), state=once) == replace(once, polls=once.polls + 1)


def test_a_status_of_later_days_does_not_close_the_wait_for_tools() -> None:
    state = queued(poll(20, 30, "requires_action", required=(call("c1"),)), poll(40, 50, "meditating"))
    assert [r.closed_ns for r in state.rounds] == [None]
    state = after(submit(60, 70, c1="22 C"), state=state)
    assert [(r.calls, r.closed_ns) for r in state.rounds] == [((replace(call("c1"), output="22 C"),), 60)]


def test_a_server_that_flips_its_status_for_ever_fills_no_memory_and_still_ends() -> None:
    state = queued()
    for i in range(MAX_CHANGES * 3):
        at_ns = 100 + 10 * i
        state = after(poll(at_ns, at_ns + 5, ("in_progress", "queued")[i % 2]), state=state)
    state = after(poll(10**6, 10**6 + 1, "completed"), state=state)
    assert len(state.changes) <= MAX_CHANGES + 1
    assert state.run.status == "completed"
    assert state.over_seen == (10**6, 10**6 + 1)


def test_an_app_that_submits_for_ever_fills_no_memory() -> None:
    state = queued(poll(20, 30, "requires_action", required=(call("c0"),)))
    for i in range(MAX_CHANGES * 3):
        state = after(submit(100 + 10 * i, 105 + 10 * i, **{f"c{i}": "x"}), state=state)
    assert len(state.rounds) <= MAX_CHANGES + 1
    assert len(state.changes) <= MAX_CHANGES + 1


def test_a_polled_change_lies_between_the_last_poll_of_the_old_status_and_the_first_of_the_new() -> None:
    state = queued(poll(20, 30, "queued"), poll(40, 50, "queued"), poll(60, 70, "in_progress"))
    assert state.changes == (change("queued", 0, 10), change("in_progress", 40, 70))


def test_a_streamed_change_is_known_to_the_moment() -> None:
    state = after(event(10, "queued"), event(20, "in_progress"), event(30, "completed"))
    assert state.changes == (
        change("queued", 10, 10),
        change("in_progress", 20, 20),
        change("completed", 30, 30),
    )
    assert (state.over_seen, state.over_streamed, state.noticed_ns) == ((30, 30), True, 30)


def test_the_status_comes_from_the_data_and_not_from_the_name_of_the_event() -> None:
    cut_off = replace(
        event(30, "incomplete", incomplete_reason="max_completion_tokens"), event="thread.run.completed"
    )
    state = after(event(10, "queued"), cut_off)
    assert (state.run.status, state.run.incomplete_reason) == ("incomplete", "max_completion_tokens")


def test_our_own_fetch_is_not_the_app_noticing() -> None:
    state = queued(replace(poll(20, 30, "completed"), source=Source.FETCH))
    assert state.is_over
    assert state.noticed_ns is None
    assert after(poll(40, 50, "completed"), state=state).noticed_ns == 50


def test_the_first_answer_that_saw_the_end_bounds_it_whatever_the_order() -> None:
    answers = (poll(100, 190, "completed"), poll(110, 120, "completed"), poll(105, 150, "in_progress"))
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0), (2, 0, 1)):
        state = queued(*(answers[i] for i in order))
        assert (state.over_seen, state.last_alive_ns, state.noticed_ns) == ((110, 120), 105, 120)


@pytest.mark.parametrize("stream_first", [True, False])
@pytest.mark.parametrize(("arrival_ns", "is_streamed"), [(115, True), (180, False)])
def test_the_end_counts_as_streamed_when_the_stream_was_first_to_tell(
    stream_first: bool, arrival_ns: int, is_streamed: bool
) -> None:
    told, polled = event(arrival_ns, "completed"), poll(110, 120, "completed")
    state = queued(*((told, polled) if stream_first else (polled, told)))
    assert state.over_seen == ((115, 115) if is_streamed else (110, 120))
    assert state.over_streamed is is_streamed


def test_coalesced_polls_count_each() -> None:
    state = queued(replace(poll(20, 30, "queued"), polls=40), poll(50, 60, "queued"))
    assert state.polls == 42


def test_what_later_answers_leave_out_stays_known_and_a_text_that_is_empty_now_is_said() -> None:
    state: RunState = after(
        poll(20, 30, "in_progress", expires_at=9, model="m", instructions="i"),
        poll(40, 50, "in_progress", started_at=7),
        poll(60, 70, "completed", expires_at=None, instructions=""),
        state=begun(),
    )
    assert state.phase is Phase.OVER
    assert state.run == run("completed", started_at=7, expires_at=9, model="m", instructions="")


def test_events_of_a_stream_read_slowly_are_taken_in_their_order() -> None:
    """When each was sent is known to within the whole stream, so each may be as old as the first."""
    told = ("queued", "in_progress", "requires_action", "queued", "in_progress", "completed")
    late = (replace(event(50 + n, status), request_ns=5) for n, status in enumerate(told))
    assert statuses(after(*late)) == list(told)
