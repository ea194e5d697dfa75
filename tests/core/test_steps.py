"""What several looks at one run step say together."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runspan.core.model import ApiError, Document, RunStep, ToolCall, Usage
from runspan.core.steps import merge
from tests.core.words import S, after, event, poll

BEGUN = RunStep("s1", "tool_calls", "in_progress", created_at=5, seen_ns=100)
ENDED = RunStep("s1", "tool_calls", "completed", usage=Usage(3, 4), created_at=5, ended_at=9, done_ns=300)
BOTH = RunStep(
    "s1", "tool_calls", "completed", usage=Usage(3, 4), created_at=5, ended_at=9, seen_ns=100, done_ns=300
)
BROKEN = RunStep("s1", "tool_calls", "failed", error=ApiError("server_error", "no"), ended_at=8)


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        (BEGUN, ENDED, BOTH),
        (ENDED, BEGUN, BOTH),  # an older answer that came later
        (BEGUN, BEGUN, BEGUN),
        (BEGUN, replace(BEGUN, status="expired"), replace(BEGUN, status="expired")),  # neither has ended
        (ENDED, BROKEN, replace(BROKEN, usage=Usage(3, 4), created_at=5, done_ns=300)),  # both have
        (
            BEGUN,
            replace(BEGUN, seen_ns=200, done_ns=250),
            replace(BEGUN, done_ns=250),
        ),  # first seen is first seen
        (ENDED, replace(ENDED, seen_ns=200, done_ns=400), replace(ENDED, seen_ns=200)),
        (replace(BEGUN, message_id="m1"), ENDED, replace(BOTH, message_id="m1")),
    ],
)
def test_the_later_word_holds_unless_it_knows_less(known: RunStep, new: RunStep, expected: RunStep) -> None:
    assert merge(known, new) == expected


def search(*texts: str | None, id_: str = "c1", arguments: str = "{}") -> ToolCall:
    documents = tuple(Document(f"f{n}", text=text) for n, text in enumerate(texts))
    return ToolCall(id_, "file_search", "file_search", arguments, documents=documents)


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        ((), (search("a"),), (search("a"),)),
        ((search("a"),), (), (search("a"),)),
        ((search("a"),), (search(None, arguments="{1}"),), (search("a", arguments="{1}"),)),
        ((search("a"),), (search(None, "b"),), (search(None, "b"),)),
        ((search(None, "a"),), (search(None, None),), (search(None, "a"),)),
        ((search(None),), (search(None, None),), (search(None, None),)),
        (
            (search("a", id_="c2"),),
            (search(None), search(None, id_="c2")),
            (search(None), search("a", id_="c2")),
        ),
    ],
)
def test_contents_of_files_stay_known(
    known: tuple[ToolCall, ...], new: tuple[ToolCall, ...], expected: tuple[ToolCall, ...]
) -> None:
    found = merge(replace(BEGUN, tool_calls=known), replace(BEGUN, tool_calls=new))
    assert found == replace(BEGUN, tool_calls=expected)


def test_a_page_of_steps_in_one_second_stands_as_the_stream_told_them() -> None:
    one, two = RunStep("step_1", "tool_calls"), RunStep("step_2", "message_creation")
    told = after(*(replace(event(S, None), runs=(), steps=(step,)) for step in (one, two)))
    for page in ((one, two), (two, one)):
        listed = replace(poll(2 * S, 2 * S, None), runs=(), steps=page, all_steps=True)
        assert list(after(listed, state=told).steps) == ["step_1", "step_2"]
    proved = replace(poll(2 * S, 2 * S, None), runs=(), steps=(two, one), all_steps=True, is_ordered=True)
    assert list(after(proved, state=told).steps) == ["step_2", "step_1"]


def listed(
    *steps: RunStep, known: tuple[RunStep, ...] = (), is_whole: bool = True
) -> list[tuple[str, str | None]]:
    """Keys and statuses of the steps of a run after a page."""
    told = [replace(event(S, None), runs=(), steps=(step,)) for step in known]
    page = replace(poll(2 * S, 2 * S, None), runs=(), steps=steps, all_steps=is_whole)
    return [(step.id, step.status) for step in after(*told, page).steps.values()]


def test_a_step_that_is_listed_under_another_id_is_the_one_that_the_stream_told() -> None:
    code, other = (ToolCall("c", "code_interpreter", "code_interpreter", text) for text in ("1+1", "2+2"))
    known, same = RunStep("s1", "tool_calls", tool_calls=(code,)), RunStep("x", "tool_calls", "completed")
    for page, expected in (
        ([same], [("s1", "completed")]),
        ([replace(same, tool_calls=(code,))], [("s1", "completed")]),
        ([replace(same, tool_calls=(other,))], [("x", "completed"), ("s1", None)]),  # it did something else
        ([replace(same, type="message_creation")], [("x", "completed"), ("s1", None)]),
        ([same, replace(same, id="y")], [("s1", "completed"), ("y", "completed")]),
    ):
        assert listed(*page, known=(known,)) == expected
    assert listed(same, known=(known,), is_whole=False) == [("s1", None), ("x", "completed")]


def test_two_steps_of_one_id_are_two_and_one_that_is_listed_twice_is_one() -> None:
    one, two = RunStep("s1", "tool_calls", "completed"), RunStep("s1", "message_creation", "failed")
    assert [status for _, status in listed(one, two)] == ["completed", "failed"]
    assert listed(one, one) == [("s1", "completed")]
    nameless = replace(one, id="")
    assert len(listed(nameless, nameless)) == 2
