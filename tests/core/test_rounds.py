"""Tool rounds: from `requires_action` to `submit_tool_outputs`, however the observations overlap."""

from __future__ import annotations

import itertools
import random

import pytest
from msgspec.structs import replace

from runspan.core.lifecycle import Phase, RunState, ToolRound, advance
from runspan.core.model import Observation, RunStep, ToolCall
from tests.core.words import KEY, after, begun, call, event, poll, queued, run, seen, statuses, submit
from tests.support.examples import seeds


def asks(request_ns: int, response_ns: int, *ids: str) -> Observation:
    return poll(request_ns, response_ns, "requires_action", required=tuple(map(call, ids)))


def rounds(state: RunState) -> list[tuple[dict[str, tuple[str | None, str | None]], int | None]]:
    """Per round: name and output by call id, and when it was closed."""
    return [({c.id: (c.name, c.output) for c in r.calls}, r.closed_ns) for r in state.rounds]


def test_a_submit_closes_the_round_when_it_was_asked_for() -> None:
    state = queued(asks(20, 30, "c1"), submit(40, 50, c1="22 C"))
    assert rounds(state) == [({"c1": ("get_weather", "22 C")}, 40)]
    assert statuses(state) == ["queued", "requires_action", "queued"]
    assert state.phase is Phase.QUEUED


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed", None, "failed"])
def test_whatever_the_answer_to_a_submit_says_the_round_is_closed_once(status: str | None) -> None:
    state = queued(asks(20, 30, "c1"), submit(40, 50, status, c1="22 C"))
    assert rounds(state) == [({"c1": ("get_weather", "22 C")}, 40)]
    assert state.run.status == (status or "requires_action"), "the last status that the API gave"


def test_a_poll_that_overlapped_the_submit_opens_no_second_round() -> None:
    state = queued(asks(20, 30, "c1"), submit(40, 50, c1="22 C"), asks(35, 60, "c1"), asks(45, 61, "c1"))
    assert rounds(state) == [({"c1": ("get_weather", "22 C")}, 40)]
    assert state.phase is Phase.QUEUED


def test_parallel_calls_are_one_round() -> None:
    state = queued(asks(20, 30, "c1", "c2", "c3"), submit(40, 50, c1="1", c3="3", c2="2"))
    assert rounds(state) == [({f"c{i}": ("get_weather", str(i)) for i in (1, 2, 3)}, 40)]


def test_several_rounds_follow_each_other() -> None:
    state = queued(
        asks(20, 30, "c1"),
        submit(40, 50, c1="1"),
        poll(60, 70, "in_progress"),
        asks(80, 90, "c2"),
        submit(100, 110, c2="2"),
        poll(120, 130, "completed"),
    )
    assert rounds(state) == [({"c1": ("get_weather", "1")}, 40), ({"c2": ("get_weather", "2")}, 100)]
    assert statuses(state) == [
        *("queued", "requires_action", "queued", "in_progress", "requires_action", "queued", "completed")
    ]


def test_a_round_right_after_the_other_is_a_second_one() -> None:
    again = replace(submit(40, 50, "requires_action", c1="1"), runs=asks(0, 0, "c2").runs)
    state = queued(asks(20, 30, "c1"), again)
    assert rounds(state) == [({"c1": ("get_weather", "1")}, 40), ({"c2": ("get_weather", None)}, None)]
    assert state.phase is Phase.WAITING


AGAIN = replace(asks(80, 90, "c1"), runs=(run("requires_action", required=(call("c1", "f"),)),))
OTHER = replace(asks(80, 90, "c1"), runs=(run("requires_action", required=(call("c1", arguments="{}"),)),))
GOES_ON = poll(60, 70, "in_progress")


@pytest.mark.parametrize(
    ("name", "observed", "is_new"),
    [
        ("a late replica", [asks(80, 90, "c1")], False),
        ("another function", [AGAIN], True),
        ("other arguments", [OTHER], True),
        ("the same, after the run went on", [GOES_ON, asks(80, 90, "c1")], True),
        ("a poll that another one overtook", [poll(85, 88, "in_progress"), asks(80, 90, "c1")], False),
        ("a poll that the submit overtook", [replace(OTHER, request_ns=39)], False),
        (
            "an event, after the run went on",
            [GOES_ON, event(80, "requires_action", required=(call("c1"),))],
            True,
        ),
        (
            "an event that was read late",
            [event(39, "requires_action", required=OTHER.runs[0].required)],
            False,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_servers_that_number_the_calls_of_each_round_anew(
    name: str, observed: list[Observation], is_new: bool
) -> None:
    state = queued(asks(20, 30, "c1"), submit(40, 50, c1="1"), *observed)
    assert len(state.rounds) == 1 + is_new
    assert state.rounds[0].calls == (replace(call("c1"), output="1"),)
    if is_new:
        state = after(submit(100, 110, c1="2"), state=state)
        assert [(r.calls[0].output, r.closed_ns) for r in state.rounds] == [("1", 40), ("2", 100)]


def test_outputs_go_to_the_calls_of_one_id_in_their_order() -> None:
    outputs = tuple(ToolCall("c1", output=output) for output in ("1", "2"))
    state = queued(asks(20, 30, "c1", "c1"), replace(submit(40, 50), outputs=outputs))
    assert [c.output for c in state.rounds[0].calls] == ["1", "2"]


def test_a_round_that_somebody_else_answered_is_closed_when_we_hear_of_it() -> None:
    state = queued(asks(20, 30, "c1"), poll(40, 50, "in_progress"))
    assert [r.closed_ns for r in state.rounds] == [50]


def test_a_round_never_seen_is_known_from_its_outputs() -> None:
    state = queued(poll(20, 30, "in_progress"), submit(40, 50, c1="22 C"))
    assert rounds(state) == [({"c1": (None, "22 C")}, 40)]


def test_an_open_round_learns_its_names_whatever_status_came_between() -> None:
    """Found by `make fuzz`: a status of later days between the two, and the first naming was lost."""
    unnamed = poll(20, 30, "requires_action", required=(ToolCall("c1"),))
    state = queued(unnamed, poll(40, 50, "of_later_days"))
    named = advance(state, asks(60, 70, "c1"))
    assert rounds(named) == [({"c1": ("get_weather", None)}, None)]
    assert replace(advance(named, asks(60, 70, "c1")), polls=0) == replace(named, polls=0)


def test_a_poll_read_after_the_submit_still_tells_the_names_of_its_calls() -> None:
    state = queued(submit(40, 50, c1="22 C"), asks(20, 60, "c1"))
    assert rounds(state) == [({"c1": ("get_weather", "22 C")}, 40)]


def test_a_stream_that_waits_and_one_that_goes_on() -> None:
    state = after(
        event(10, "queued"),
        event(20, "in_progress"),
        event(30, "requires_action", required=(call("c1"),)),
        seen(40, 40, run_id=KEY.run_id, outputs=(ToolCall("c1", output="22 C"),)),
        event(50, "queued"),
        event(60, "in_progress"),
        event(70, "completed"),
    )
    assert rounds(state) == [({"c1": ("get_weather", "22 C")}, 40)]
    assert [(c.status, c.latest_ns) for c in state.changes] == [
        *(("queued", 10), ("in_progress", 20), ("requires_action", 30), ("queued", 40)),
        *(("in_progress", 60), ("completed", 70)),
    ]


def test_outputs_of_a_run_that_is_over_are_still_kept() -> None:
    state = queued(asks(20, 30, "c1"), poll(40, 50, "expired"), submit(35, 60, c1="late"))
    assert rounds(state)[0][0] == {"c1": ("get_weather", "late")}
    assert state.run.status == "expired"


# ---------------------------------------------------------------- any order, more than once


STORY = (
    poll(0, 10, "queued"),
    poll(12, 40, "queued"),
    poll(14, 22, "queued"),
    poll(24, 33, "in_progress"),
    asks(35, 48, "c1", "c2"),
    poll(36, 50, "in_progress"),
    asks(49, 70, "c1", "c2"),
    submit(60, 75, c1="1", c2="2"),
    asks(55, 90, "c1", "c2"),
    poll(76, 95, "in_progress"),
    asks(98, 110, "c3"),
    submit(120, 130, c3="3"),
    asks(115, 140, "c3"),
    poll(131, 150, "in_progress"),
    poll(152, 180, "in_progress"),
    poll(155, 170, "completed"),
    poll(160, 175, "completed"),
)


def orders(seed: int) -> list[Observation]:
    """A random order in which the answers may be read: what ended before another was asked for comes first."""
    chooser, left, order = random.Random(seed), list(STORY), []
    while left:
        free = [o for o in left if all(o is p or p.response_ns >= o.request_ns for p in left)]
        order.append(chooser.choice(free))
        left.remove(order[-1])
    return order


def essence(state: RunState) -> tuple[object, ...]:
    return (
        *(state.run.status, state.phase, state.over_seen, state.last_alive_ns, state.last_seen_ns),
        *(state.polls, state.noticed_ns, rounds(state)),
    )


@seeds(60)
def test_overlapping_answers_may_be_read_in_any_order(seed: int) -> None:
    assert essence(after(*orders(seed))) == essence(after(*STORY))


def test_the_ends_bounds_hold_in_every_order_at_all() -> None:
    last = STORY[-4:]
    expected = queued(*last)
    for order in itertools.permutations(last):
        state = queued(*order)
        assert (state.run.status, state.over_seen, state.last_alive_ns) == (
            *("completed", expected.over_seen, expected.last_alive_ns),
        )


@pytest.mark.parametrize("at", range(len(STORY)))
def test_hearing_something_twice_changes_nothing_but_the_number_of_polls(at: int) -> None:
    twice = after(*STORY[: at + 1], STORY[at], *STORY[at + 1 :])
    assert replace(twice, polls=0) == replace(after(*STORY), polls=0)


def test_hearing_the_whole_story_twice_changes_nothing_but_the_number_of_polls() -> None:
    once = after(*STORY)
    twice = after(*STORY, state=once)
    assert replace(twice, polls=0) == replace(once, polls=0)


# ---------------------------------------------------------------- steps


def step(id_: str, **fields: object) -> RunStep:
    return RunStep(**{"id": id_, "type": "tool_calls", **fields})  # type: ignore[arg-type]


def with_steps(*steps: RunStep, whole: bool = False, request_ns: int = 20) -> Observation:
    return seen(request_ns, request_ns + 5, run_id=KEY.run_id, steps=steps, all_steps=whole)


def test_steps_are_merged_and_never_lose_what_is_known() -> None:
    first = step("s1", status="in_progress", created_at=5, seen_ns=100)
    done = step("s1", status="completed", ended_at=7, tool_calls=(call("c1"),), done_ns=200)
    merged = replace(done, created_at=5, seen_ns=100)
    for order in ((first, done), (done, first), (first, done, first, done)):
        state = queued(*(with_steps(s) for s in order))
        assert dict(state.steps) == {"s1": merged}
    assert queued(with_steps(step("s2"), whole=True), with_steps(step("s3"))).has_all_steps


def test_an_empty_page_of_steps_tells_that_there_are_none() -> None:
    assert not queued(with_steps()).has_all_steps
    assert queued(with_steps(whole=True)).has_all_steps


def test_steps_of_another_run_are_none_of_ours() -> None:
    assert advance(begun(), replace(with_steps(step("s1")), run_id="run_2")).steps == {}


def test_a_round_is_its_calls_its_opening_and_its_answer() -> None:
    (tool_round,) = queued(asks(20, 30, "c1"), submit(40, 50, c1="1")).rounds
    assert isinstance(tool_round, ToolRound)
    assert (tool_round.opened.earliest_ns, tool_round.opened.latest_ns) == (0, 30)
