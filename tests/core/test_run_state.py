"""The whole state of a run after what was observed of it, nothing left out."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runspan.apis.assistants.statuses import VOCABULARY
from runspan.core.lifecycle import MAX_CHANGES, Phase, RunState, ToolRound
from runspan.core.model import ApiError, Observation, Run, RunRequest, Source, ToolCall, Usage
from tests.core.words import (
    KEY,
    SERVER,
    A,
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

ASKS = {"required": (call("c1"), call("c2"))}


def known(request_ns: int = 0, response_ns: int = 10) -> RunState:
    """As `begun` makes it, field by field."""
    return RunState(
        key=KEY,
        server=SERVER,
        vocabulary=VOCABULARY,
        request=RunRequest(),
        request_ns=request_ns,
        response_ns=response_ns,
        run=run(None),
        created_at=A,
        last_alive_ns=request_ns,
        last_seen_ns=response_ns,
    )


def test_a_polled_run_with_a_round_of_tools() -> None:
    state = after(
        poll(20, 30, "queued"),
        poll(40, 50, "in_progress", started_at=A + 1),
        poll(60, 70, "requires_action", **ASKS),
        poll(75, 80, "requires_action", **ASKS),
        submit(90, 95, c1="1", c2="2"),
        poll(100, 110, "in_progress", started_at=A + 9),
        poll(120, 130, "completed", ended_at=A + 10, usage=Usage(3, 4), model="gpt-4o"),
        poll(140, 150, "completed", instructions="Teach."),
    )
    opened = change("requires_action", 40, 70)
    answered = tuple(replace(call(f"c{n}"), output=str(n)) for n in (1, 2))
    assert state == replace(
        known(),
        run=run(
            "completed",
            started_at=A + 1,
            ended_at=A + 10,
            usage=Usage(3, 4),
            model="gpt-4o",
            instructions="Teach.",
        ),
        phase=Phase.OVER,
        changes=(
            change("queued", 0, 30),
            change("in_progress", 20, 50, A + 1),
            opened,
            change("queued", 90, 90),
            change("in_progress", 90, 110, A + 9),
            change("completed", 100, 130),
        ),
        sighted_ns=100,
        last_alive_ns=100,
        last_seen_ns=150,
        polls=7,
        rounds=(ToolRound(answered, opened, 90),),
        over_seen=(120, 130),
        noticed_ns=130,
    )


def test_a_streamed_run_that_failed() -> None:
    error = ApiError("server_error", "no")
    state = after(
        event(20, "queued"), event(30, "in_progress", started_at=A + 1), event(40, "failed", error=error)
    )
    assert state == replace(
        known(),
        run=run("failed", started_at=A + 1, error=error),
        phase=Phase.OVER,
        changes=(
            change("queued", 20, 20),
            change("in_progress", 30, 30, A + 1),
            change("failed", 40, 40),
        ),
        sighted_ns=30,
        last_seen_ns=40,
        over_seen=(40, 40),
        over_streamed=True,
        noticed_ns=40,
    )


def test_what_a_poll_of_the_same_status_adds() -> None:
    again = poll(40, 50, "in_progress", started_at=A + 1, model="gpt-4o")
    state = queued(poll(20, 30, "in_progress"), again)
    assert state.changes == (change("queued", 0, 10), change("in_progress", 0, 30, A + 1))
    assert state.run == run("in_progress", started_at=A + 1), (
        "of a run that is alive only two stamps are taken"
    )
    assert (state.sighted_ns, state.last_alive_ns, state.last_seen_ns, state.polls) == (40, 40, 50, 3)
    late = after(poll(35, 60, "in_progress", started_at=A + 9, expires_at=A + 99), state=state)
    assert late.changes == state.changes
    assert late.run == run("in_progress", started_at=A + 1, expires_at=A + 99)
    assert (late.sighted_ns, late.last_alive_ns, late.last_seen_ns) == (40, 40, 60)


@pytest.mark.parametrize(
    ("origin", "created_at", "expected"),
    [("adopted", None, A), ("adopted", A - 5, A - 5), (None, None, None)],
)
def test_only_a_run_that_was_taken_over_learns_late_when_it_was_created(
    origin: str | None, created_at: int | None, expected: int | None
) -> None:
    state = after(poll(20, 30, "queued"), state=replace(begun(), origin=origin, created_at=created_at))
    assert state.created_at == expected


def test_the_end_learns_from_every_later_look_and_keeps_the_first_bounds() -> None:
    fetched = replace(poll(50, 60, "completed", started_at=A + 2, usage=Usage(1, 2)), source=Source.FETCH)
    earlier = poll(22, 28, "completed", started_at=A + 3, model="gpt-4o")
    state = queued(poll(20, 30, "completed"), fetched, earlier)
    assert state.run == run("completed", started_at=A + 2, usage=Usage(1, 2), model="gpt-4o")
    assert (state.over_seen, state.noticed_ns, state.over_streamed) == ((22, 28), 28, False)
    as_late = poll(21, 28, "completed")  # an answer that came at the same time changes nothing
    assert after(as_late, state=state).over_seen == (22, 28)
    never_seen = replace(begun(), phase=Phase.OVER, over_seen=None)
    assert after(event(70, "completed"), state=never_seen).over_seen == (70, 70)


def test_after_the_outputs_the_run_waits_no_more_whatever_the_answer_says() -> None:
    state = queued(poll(20, 30, "requires_action", **ASKS), submit(90, 95, None, c1="1", c2="2"))
    assert (state.phase, state.changes[-1], state.sighted_ns) == (Phase.QUEUED, change("queued", 90, 90), 90)


# ---------------------------------------------------------------- rounds of odd kinds


def waiting(*ids: str) -> Observation:
    return poll(20, 30, "requires_action", required=tuple(map(call, ids)))


def answered(id_: str, output: str, *, named: bool = True) -> ToolCall:
    return replace(call(id_), output=output) if named else ToolCall(id_, output=output)


OPENED = change("requires_action", 0, 30)
UNSEEN = change("requires_action", 40, 40)
ODD_ROUNDS: dict[str, tuple[tuple[Observation, ...], tuple[ToolRound, ...], list[str]]] = {
    "a wait that did not say for what": (
        (waiting(), submit(40, 50, c1="1")),
        (ToolRound((answered("c1", "1", named=False),), OPENED, 40),),
        ["queued", "requires_action", "queued"],
    ),
    "outputs of more than was asked for": (
        (waiting("c1"), submit(40, 50, c1="1", c2="2")),
        (ToolRound((answered("c1", "1"), answered("c2", "2", named=False)), OPENED, 40),),
        ["queued", "requires_action", "queued"],
    ),
    "outputs of less": (
        (waiting("c1", "c2"), submit(40, 50, c2="2")),
        (ToolRound((call("c1"), answered("c2", "2")), OPENED, 40),),
        ["queued", "requires_action", "queued"],
    ),
    "outputs of another wait, which nobody saw": (
        (waiting("c2"), submit(40, 50, None, c1="1")),
        (ToolRound((answered("c1", "1", named=False),), UNSEEN, 40), ToolRound((call("c2"),), OPENED)),
        ["queued", "requires_action"],
    ),
    "a second wait, which somebody else answered": (
        (
            *(waiting("c1"), submit(40, 50, c1="1")),
            *(poll(60, 70, "requires_action", required=(call("c2"),)), poll(80, 90, "in_progress")),
        ),
        (
            ToolRound((answered("c1", "1"),), OPENED, 40),
            ToolRound((call("c2"),), change("requires_action", 40, 70), 90),
        ),
        ["queued", "requires_action", "queued", "requires_action", "in_progress"],
    ),
    "outputs sent again": (
        (waiting("c1"), submit(40, 50, c1="1"), submit(60, 70, None, c1="other")),
        (ToolRound((answered("c1", "1"),), OPENED, 40),),
        ["queued", "requires_action", "queued"],
    ),
    "outputs sent again, some of them new": (
        (waiting("c1"), submit(40, 50, c1="1"), submit(60, 70, None, c1="other", c2="2")),
        (
            ToolRound((answered("c1", "1"),), OPENED, 40),
            ToolRound(
                (answered("c1", "other", named=False), answered("c2", "2", named=False)),
                change("requires_action", 60, 60),
                60,
            ),
        ),
        ["queued", "requires_action", "queued"],
    ),
}


@pytest.mark.parametrize("name", ODD_ROUNDS)
def test_odd_rounds(name: str) -> None:
    observed, rounds, changes = ODD_ROUNDS[name]
    state = queued(*observed)
    assert (state.rounds, statuses(state)) == (rounds, changes)


def test_calls_learn_their_names_once_and_keep_their_outputs() -> None:
    named = poll(60, 70, "requires_action", required=(call("c1"), call("c2", "other"), call("c9")))
    state = queued(submit(40, 50, c1="1"), named)
    (first, second) = state.rounds
    assert first.calls == (answered("c1", "1"),)
    assert second.calls == named.runs[0].required, "not all of it was answered: another wait"
    names = (poll(60, 70, "requires_action", required=(call("c1", name),)) for name in ("first", "first"))
    state = queued(submit(40, 50, c1="1"), *names)
    assert [r.calls for r in state.rounds] == [(replace(call("c1", "first"), output="1"),)]


def test_a_wait_taken_over_without_arguments_learns_them_from_the_next_look() -> None:
    bare = (ToolCall("c1", "function", "get_weather"), ToolCall("c3", "function", "f"))
    state = replace(
        after(poll(20, 30, "requires_action")),
        rounds=(ToolRound(bare, OPENED),),
    )
    state = after(poll(40, 50, "requires_action", required=(call("c1"), call("c2"))), state=state)
    assert state.rounds == (ToolRound((call("c1"), bare[1]), OPENED),)


# ---------------------------------------------------------------- bounds


def test_only_so_many_changes_and_rounds_are_kept() -> None:
    state = queued()
    for n in range(1, MAX_CHANGES + 5):
        state = after(poll(100 * n, 100 * n + 5, ("queued", "in_progress")[n % 2]), state=state)
        assert len(state.changes) == min(n + 1, MAX_CHANGES)
    state = queued(poll(20, 30, "in_progress"))
    for n in range(1, MAX_CHANGES + 5):
        state = after(submit(100 * n, 100 * n + 5, None, **{f"c{n}": "x"}), state=state)
        assert len(state.rounds) == min(n, MAX_CHANGES)
    assert state.rounds[0].calls == (ToolCall("c1", output="x"),)


@pytest.mark.parametrize(("request_ns", "is_taken"), [(29, False), (30, True)])
@pytest.mark.parametrize("status", ["queued", "meditating"])
def test_what_leads_back_must_have_been_asked_for_after_the_present_status_was_seen(
    status: str, request_ns: int, is_taken: bool
) -> None:
    state = after(poll(20, 30, "in_progress"), poll(request_ns, 90, status))
    assert statuses(state) == ["in_progress", *([status] if is_taken else [])]


def test_a_first_status_of_later_days_is_noted() -> None:
    state = after(poll(20, 30, "meditating"))
    assert (state.phase, state.run, state.changes) == (
        Phase.REQUESTED,
        run("meditating"),
        (change("meditating", 0, 30),),
    )
    assert after(seen(20, 30, Run(KEY.run_id, KEY.conversation_id, "")), state=begun()).changes == ()


def test_a_poll_answered_before_the_run_was_created_is_no_change_backwards() -> None:
    state = after(poll(20, 30, "queued"), poll(40, 45, "in_progress"), poll(41, 42, "completed"))
    assert state.changes[-1] == change("completed", 40, 42)
    early = after(poll(20, 80, "queued"), poll(30, 35, "in_progress"), state=begun(25, 28))
    assert early.changes == (change("queued", 25, 80), change("in_progress", 25, 35))
