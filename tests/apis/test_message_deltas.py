"""Texts in pieces: of which message they are, and when they are needed no more."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.apis.assistants.events import texts_of
from runspan.apis.text_pieces import TextPieces, _end_of
from runspan.core.ids import shown


def delta(id_: Any, text: str) -> dict[str, Any]:
    return {"id": id_, "delta": {"content": [{"index": 0, "type": "text", "text": {"value": text}}]}}


def taken(*pieces: tuple[Any, str], announced: dict[str, str] | None = None, room: int = 100) -> TextPieces:
    deltas = TextPieces(texts_of, room)
    for id_, text in pieces:
        deltas.take(delta(id_, text), lambda id_: (announced or {}).get(id_, (announced or {}).get("*")))
    return deltas


@pytest.mark.parametrize(
    ("pieces", "announced", "texts"),
    [
        (
            [("m1", "He"), ("m1", "llo"), ("m2", "Bye")],
            {"m1": "m1", "m2": "m2"},
            {"m1": "Hello", "m2": "Bye"},
        ),
        ([("a", "He"), ("b", "llo")], {"*": "m1"}, {"m1": "Hello"}),  # an id for each piece
        (
            [("m1", "He"), ("m1", "llo"), ("m2", "Bye")],
            {},
            {"m1": "Hello", "m2": "Bye"},
        ),  # nobody told of them
        ([(5, "He"), (5, "llo")], {}, {"5": "Hello"}),
        ([("m1", "Hello")], {}, {"": "Hello"}),
        ([("a", "He"), ("b", "llo")], {}, {"": "Hello"}),
        ([("", "He"), (None, "llo")], {}, {"": "Hello"}),
        ([], {}, {}),
    ],
)
def test_pieces_make_the_texts_of_messages(
    pieces: list[tuple[Any, str]], announced: dict[str, str], texts: dict[str, str]
) -> None:
    found = taken(*pieces, announced=announced).texts()
    assert {shown(key): text for key, text in found.items()} == texts


def test_a_message_that_came_whole_takes_its_pieces_and_those_that_were_nobody_s() -> None:
    deltas = taken(("m1", "He"), ("x", "llo"), ("m2", "Bye"), announced={"m1": "m1", "m2": "m2"})
    deltas.ended("m1")
    assert deltas.texts() == {"m2": "Bye"}


def test_no_more_is_kept_than_there_is_room() -> None:
    assert taken(("m", "12345"), ("m", "678"), ("m", "9"), room=8, announced={"m": "m"}).texts() == {
        "m": "12345678"
    }


@pytest.mark.parametrize(("chars", "end", "left"), [(2, "llo", ["He"]), (3, "Hello", []), (9, "Hello", [])])
def test_of_what_was_told_only_the_end_is_looked_at(chars: int, end: str, left: list[str]) -> None:
    from_the_last = iter(["llo", "He"])
    assert _end_of(from_the_last, chars) == end
    assert list(from_the_last) == left


def test_a_whole_text_adds_what_its_pieces_lack() -> None:
    pieces = TextPieces(lambda text: (), 100, whole_of=lambda text: ("m1", text))
    for whole in ("llo", "llo", "Hello", "lo", "Bye"):
        pieces.take(whole, lambda id_: id_)
    assert pieces.texts() == {"m1": "HelloBye"}
