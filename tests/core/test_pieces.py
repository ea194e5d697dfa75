"""Texts in pieces stand where a message has no better ones, once, and marked where the stream was cut."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runspan.core.conversation import Conversation
from runspan.core.ids import numbered
from runspan.core.model import Message, Outcome, Part
from runspan.core.run_messages import written
from tests.core.words import A, after, event

LOOSE = numbered("", 0)
WHOLE = Message("m1", "assistant", (Part("text", "It is 42."),), A, "run_1", outcome=Outcome.COMPLETED)
EMPTY = replace(WHOLE, parts=())
BEGUN = replace(EMPTY, is_growing=True, outcome=None)
PARTLY = replace(WHOLE, parts=(Part("text", "It is"),), is_growing=True, outcome=None)


@pytest.mark.parametrize(
    ("status", "messages", "partial", "expected"),
    [
        ("completed", [WHOLE], {"m1": "It is"}, [("It is 42.", "completed")]),
        ("completed", [EMPTY], {"m1": "It is 42."}, [("It is 42.", "completed")]),  # it ended without a text
        ("completed", [BEGUN], {"m1": "It is 42."}, [("It is 42.", None)]),  # it never ended; the run did
        ("in_progress", [BEGUN], {"m1": "It is"}, [("It is", "incomplete")]),  # the stream was cut
        ("in_progress", [], {"m1": "It is"}, [("It is", "incomplete")]),
        (
            "in_progress",
            [PARTLY],
            {"m1": " 42."},
            [("It is 42.", "in_progress")],
        ),  # `created` held a part of it
        (
            "in_progress",
            [PARTLY],
            {"m1": "It is 42."},
            [("It is 42.", "in_progress")],
        ),  # told again by deltas
        ("completed", [WHOLE], {LOOSE: "It is 42."}, [("It is 42.", "completed")]),
        ("completed", [WHOLE], {LOOSE: "Yes."}, [("It is 42.", "completed"), ("Yes.", None)]),
        ("completed", [WHOLE], {"m2": ""}, [("It is 42.", "completed")]),
    ],
)
def test_what_a_run_wrote(
    status: str, messages: list[Message], partial: dict[str, str], expected: list[tuple[str, str | None]]
) -> None:
    state = replace(after(event(5, status)), partial=partial)
    found = written(state, Conversation(tuple(messages)))
    assert [
        ("".join(p.text or "" for p in m.parts), m.outcome or (m.is_growing and "in_progress") or None)
        for m in found
    ] == expected
    assert {m.run_id for m in found} == {"run_1"}


def test_parts_that_are_no_text_stay_beside_the_pieces() -> None:
    image = Part("image_file", None, {"file_id": "f"})
    state = replace(after(event(5, "completed")), partial={"m1": "It is 42."})
    (message,) = written(
        state, Conversation((replace(EMPTY, parts=(image,), is_growing=True, outcome=None),))
    )
    assert message.parts == (image, Part("text", "It is 42."))


@pytest.mark.parametrize(("is_cut", "outcome"), [(True, Outcome.INCOMPLETE), (False, None)])
def test_pieces_of_a_stream_that_was_left_are_not_whole_though_the_run_completed(
    is_cut: bool, outcome: Outcome | None
) -> None:
    """Its end was seen elsewhere."""
    state = after(event(5, "completed"))
    state = replace(state, partial={"m1": "It is"}, over_streamed=False, is_cut=is_cut)
    (message,) = written(state, Conversation((BEGUN,)))
    assert (message.outcome, message.is_growing) == (outcome, False)
