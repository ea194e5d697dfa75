"""Which thing an event of a stream speaks of, whatever ids its server gives."""

from __future__ import annotations

import pytest

from runspan.core.ids import StreamIds, numbered, shown, within

B, E, P = "begins", "ends", ""  # it begins, ends, or goes on


@pytest.mark.parametrize(
    ("name", "events", "things"),
    [
        ("honest", [("a", B), ("a", P), ("a", E), ("b", B), ("b", E)], [0, 0, 0, 1, 1]),
        ("two at once", [("a", B), ("b", B), ("a", P), ("b", E), ("a", E)], [0, 1, 0, 1, 0]),
        ("repeated", [("a", B), ("a", E), ("a", B), ("a", E)], [0, 0, 1, 1]),
        ("none", [("", B), ("", E), ("", B), ("", P), ("", E)], [0, 0, 1, 1, 1]),
        ("anew for each event", [("a", B), ("b", P), ("c", E), ("d", B), ("e", E)], [0, 0, 0, 1, 1]),
        ("out of a small pool", [("a", B), ("b", E), ("b", B), ("a", E)], [0, 0, 1, 1]),
        ("ends alone", [("a", E), ("b", E)], [0, 1]),
        ("ends alone, repeated", [("a", E, "one"), ("a", E, "two")], [0, 1]),
        ("ended twice with the same words", [("a", E, "one"), ("a", E, "one")], [0, 0]),
        (
            "a late word on what has ended",
            [("a", B), ("a", E), ("b", B), ("a", P), ("b", E)],
            [0, 0, 1, 0, 1],
        ),
        ("begun twice and never ended", [("a", B), ("a", B)], [0, 1]),
        ("goes on in another stream", [("a", P), ("a", E)], [0, 0]),
    ],
)
def test_each_event_speaks_of_one_thing(name: str, events: list[tuple[str, ...]], things: list[int]) -> None:
    of, found = StreamIds("run_1"), []
    for id_, what, *content in events:
        words = content[0] if content else id_
        found.append(of.key(id_, "kind", begins=what == B, ends=what == E, content=words))
    order = list(dict.fromkeys(found))
    assert [order.index(key) for key in found] == things
    first_of_id = {key: id_ for key, (id_, *_) in reversed(list(zip(found, events, strict=True)))}
    assert {key: shown(key) for key in found} == first_of_id


def test_another_kind_of_thing_is_another_thing() -> None:
    of = StreamIds()
    first = of.key("a", "tool_calls", begins=True)
    assert of.key("b", "message_creation") != first
    assert of.key("c", "tool_calls", ends=True) == first


def test_pieces_belong_to_what_they_name_else_to_what_is_open() -> None:
    of = StreamIds()
    assert of.open_key("a") is None
    a, b = of.key("a", begins=True), of.key("b", begins=True)
    assert [of.open_key(id_) for id_ in ("a", "b", "x", "")] == [a, b, b, b]
    of.key("b", ends=True)
    assert [of.open_key(id_) for id_ in ("b", "x")] == [a, a]
    of.key("a", ends=True)
    assert of.open_key("a") is None


def test_keys_show_their_ids_and_those_of_two_runs_are_two() -> None:
    assert (numbered("a", 0), shown("a")) == ("a", "a")
    keys = [numbered("a", 1, "r"), numbered("a", 2, "r"), numbered("a", 1, "s"), within("a", "r"), "a"]
    assert len(set(keys)) == len(keys)
    assert {shown(key) for key in keys} == {"a"}
    assert shown(numbered("", 0)) == shown(within("", "r")) == ""
