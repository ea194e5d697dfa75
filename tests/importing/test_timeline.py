"""Times out of server stamps alone: what they say, how sure that is, and what unset and odd ones mean."""

from __future__ import annotations

from typing import Any

import pytest

from tests.importing.archives import A, function_step, message, run, thread
from tests.importing.comparing import imported

SECOND = 1_000_000_000


def times(*objects: Any) -> tuple[float, float, dict[str, Any]]:
    """Start and length of the one run, in seconds after A; and its attributes."""
    spans, _ = imported(objects=objects)
    (span,) = [span for span in spans if "runspan.run.id" in (span.attributes or {})]
    start, end = span.start_time or 0, span.end_time or 0
    return (start - A * SECOND) / SECOND, (end - start) / SECOND, dict(span.attributes or {})


def test_the_stamps_are_the_times_and_the_uncertainty_is_that_of_two_whole_seconds() -> None:
    start, length, facts = times(run("t"))
    assert (start, length) == (0, 3)
    assert (facts["runspan.run.queue_s"], facts["runspan.run.active_s"]) == (1, 2)
    assert facts["runspan.run.end_uncertainty_s"] == 2
    assert facts["runspan.run.ended_at"] == A + 3


def test_a_run_within_one_second_ended_in_it() -> None:
    _, length, facts = times(run("t", started_at=A, completed_at=A))
    assert (length, facts["runspan.run.end_uncertainty_s"]) == (0.5, 1)


@pytest.mark.parametrize("unit", [1_000, 1_000_000, 1_000_000_000], ids=["ms", "us", "ns"])
def test_smaller_units_are_recognised(unit: int) -> None:
    stamps = {
        key: (A + n) * unit + unit // 2
        for key, n in (("created_at", 0), ("started_at", 1), ("completed_at", 3))
    }
    start, length, _ = times({**run("t"), **stamps})
    assert (start, length) == (0, 3)


def test_a_run_in_milliseconds_beside_one_in_seconds_is_the_same() -> None:
    mixed = {**run("t"), "created_at": A * 1_000, "completed_at": (A + 3) * 1_000.0}
    assert times(mixed)[:2] == (0, 3)


@pytest.mark.parametrize("unset", [-1, 0, None, "", "soon"])
def test_unset_stamps_are_none(unset: Any) -> None:
    """Of a run that does not say when it was created, the first moment that it tells is the start."""
    start, length, facts = times({**run("t"), "created_at": unset, "cancelled_at": unset, "failed_at": unset})
    assert (start, length) == (1, 2)
    assert "runspan.run.created_at" not in facts


def test_a_run_that_is_over_without_an_end_ends_where_it_was_last_heard_of() -> None:
    one = run("t", completed_at=-1)
    start, length, facts = times(one, function_step(one))
    assert (start, length) == (0, 2)
    assert "runspan.run.end_uncertainty_s" not in facts
    assert "runspan.run.unfinished" not in facts


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
def test_a_run_that_is_not_over_goes_out_as_unfinished(status: str) -> None:
    start, length, facts = times(run("t", status=status, completed_at=None))
    assert (start, length) == (0, 1)
    assert facts["runspan.run.unfinished"] == "archived"
    assert facts["runspan.run.status"] == status


def test_an_expired_run_ended_when_it_expired() -> None:
    spans, _ = imported(objects=[run("t", status="expired", completed_at=None, expires_at=A + 600)])
    assert {(s.end_time or 0) for s in spans} == {(A + 600) * SECOND}
    assert {s.status.status_code.name for s in spans} == {"ERROR"}


def test_the_clock_never_goes_back() -> None:
    """Stamps that contradict one another: everything lies inside its run, in order."""
    one = run("t", started_at=A - 50, completed_at=A + 3)
    tool = function_step(one)
    tool["created_at"], tool["completed_at"] = A + 90, A - 90
    spans, _ = imported(objects=[one, tool])
    (outer,) = [span for span in spans if span.parent is None]
    for span in spans:
        assert (
            (outer.start_time or 0) <= (span.start_time or 0) <= (span.end_time or 0) <= (outer.end_time or 0)
        )


def test_tools_stand_in_the_middle_of_what_their_steps_leave_open() -> None:
    """Created in the second that begins when the run was started, over in the one after."""
    one = run("t")
    spans, _ = imported(objects=[one, function_step(one)])
    (tool,) = [span for span in spans if span.name.startswith("execute_tool")]
    assert [((at or 0) - A * SECOND) / SECOND for at in (tool.start_time, tool.end_time)] == [1.5, 2.25]


def test_each_run_is_given_what_was_said_before_it_and_no_more() -> None:
    spans, _ = imported(objects=[thread("t", 3)])
    chats = sorted((s for s in spans if s.name.startswith("chat")), key=lambda s: s.start_time or 0)
    inputs = [str((chat.attributes or {})["gen_ai.input.messages"]) for chat in chats]
    assert [[n for n in range(3) if f"Question {n}?" in said] for said in inputs] == [[0], [0, 1], [0, 1, 2]]
    assert [[n for n in range(3) if f"Answer {n}." in said] for said in inputs] == [[], [0], [0, 1]]
    outputs = [str((chat.attributes or {})["gen_ai.output.messages"]) for chat in chats]
    assert [f"Answer {n}." in said for n, said in enumerate(outputs)] == [True] * 3


def test_the_first_run_of_a_long_thread_still_has_its_question() -> None:
    """No more than 1,000 messages of a conversation are held at once."""
    spans, report = imported(objects=[thread("t", 600)])
    assert report.runs == 600
    first = min((s for s in spans if s.name.startswith("chat")), key=lambda s: s.start_time or 0)
    assert "Question 0?" in str((first.attributes or {})["gen_ai.input.messages"])


def test_a_question_asked_after_the_run_is_not_its_input() -> None:
    late = message("t", 9, "user", "Too late?", A + 4)
    spans, _ = imported(objects=[thread("t"), late])
    assert not any("Too late?" in str(span.attributes) for span in spans)


def test_since_and_threads_leave_runs_out_and_keep_them_as_history() -> None:
    objects = [thread("t", 3), thread("other", 1, A + 20)]
    spans, report = imported(objects=objects, since=A + 15.0)
    assert (report.runs, report.skipped) == (2, 2)
    (chat,) = [s for s in spans if s.name.startswith("chat") and "Answer 2." in str(s.attributes)]
    assert "Answer 1." in str((chat.attributes or {})["gen_ai.input.messages"])
    spans, report = imported(objects=objects, threads=["other"])
    assert {(s.attributes or {}).get("gen_ai.conversation.id") for s in spans} == {"other"}
    assert report.runs == 1
