"""Server-sent events out of bytes, however they are cut."""

from __future__ import annotations

import json
import random
import time

import pytest

from runspan.core import sse
from runspan.core.sse import BOM, MAX_EVENT_BYTES, Finder, Parser, is_event_stream
from tests.support.examples import seeds

EVENTS = [
    ("thread.run.created", '{"id":"run_1","note":"日本語 𝄞 é"}'),
    ("thread.message.delta", '{"delta":{"content":[{"text":{"value":"a\\n\\nb"}}]}}'),
    ("thread.message.delta", '{"x":"\u2028 \u0085 \x1e"}'),  # what str.splitlines takes for ends of lines
    ("thread.run.completed", "{}"),
    ("done", "[DONE]"),
]


def stream(end: str = "\n", space: str = " ") -> bytes:
    blocks = (f"event:{space}{name}{end}data:{space}{data}{end}{end}" for name, data in EVENTS)
    return "".join(blocks).encode()


def parsed(*chunks: bytes) -> list[tuple[str, str]]:
    parser = Parser()
    return [event for chunk in chunks for event in parser.feed(chunk)] + list(parser.finish())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("space", ["", " "])
def test_events_whole_and_byte_by_byte(end: str, space: str) -> None:
    whole = stream(end, space)
    assert parsed(whole) == EVENTS
    assert parsed(*(whole[i : i + 1] for i in range(len(whole)))) == EVENTS


@seeds(60)
def test_any_cutting_gives_the_same_events(seed: int) -> None:
    chance = random.Random(seed)
    whole = chance.choice([b"", BOM, BOM + b"\n", b"\n"]) + stream(chance.choice(["\n", "\r\n", "\r"]))
    cuts = sorted(chance.randrange(len(whole) + 1) for _ in range(chance.randrange(12)))
    assert parsed(*(whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True))) == EVENTS


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (": keep-alive\n\n", []),
        ("data: without a name\n\n", [("", "without a name")]),
        ('\ufeff{"a":\n\n1}', [("", '{"a":\n\n1}')]),
        ("  [1]\n", [("", "[1]\n")]),
        ("data: {}\n\n{}", [("", "{}")]),
        ("event: without data\n\n", []),
        ("\n\n\n\n", []),
        ("id: 7\nretry: 5\nevent: e\ndata: d\n\n", [("e", "d")]),
        ("event: e\ndata: one\ndata: two\n\n", [("e", "one\ntwo")]),
        ("data: d\nevent: e\n\n", [("e", "d")]),
        ("event: e\ndata: a: b\n\n", [("e", "a: b")]),
        ("event: e\ndata: not ended", [("e", "not ended")]),
        ("event: e\r\rdata: d\n\r\n", [("", "d")]),
        ('data: {"a": 1}\ndata: {"b": 2}\ndata: [DONE]\n', [("", '{"a": 1}'), ("", '{"b": 2}')]),
        ("event: e\ndata: {}\ndata:\nevent: f\ndata: {}\n\n", [("e", "{}"), ("f", "{}")]),
        ('event: e\ndata: {\ndata: "a": {}\ndata: }\n\n', [("e", '{\n"a": {}\n}')]),
        ('{"a": 1}\n{"b": 2}\n', [("", '{"a": 1}'), ("", '{"b": 2}')]),
        ('{\n"a": [\n{}\n]}', [("", '{\n"a": [\n{}\n]}')]),
        ("event: e\ndata: \ud800\n\n", [("e", "???")]),
    ],
)
def test_odd_streams(text: str, events: list[tuple[str, str]]) -> None:
    found = parsed(text.encode("utf-8", "surrogatepass"))
    assert [(n, d.replace("\ufffd", "?")) for n, d in found] == events


def test_an_event_that_never_ends_is_passed_over_and_the_next_is_read() -> None:
    parser = Parser()
    list(parser.feed(b"event: huge\ndata: "))
    for _ in range(2 * MAX_EVENT_BYTES // 65_536 + 2):
        assert list(parser.feed(b"x" * 65_536)) == []
        assert sum(map(len, parser._chunks)) <= MAX_EVENT_BYTES
    assert list(parser.feed(b"\n\nevent: next\ndata: {}\n\n")) == [("next", "{}")]


def test_many_events_in_one_chunk_are_all_read_however_much_they_are_together() -> None:
    data = "x" * (MAX_EVENT_BYTES // 5)
    whole = f"event: e\ndata: {data}\n\n".encode() * 12
    assert parsed(whole) == [("e", data)] * 12
    assert parsed(whole[: len(whole) // 2], whole[len(whole) // 2 :]) == [("e", data)] * 12


@pytest.mark.parametrize(("size", "is_read"), [(30, True), (31, False)])
@pytest.mark.parametrize("cut", [0, 15, 29, 30])
def test_the_size_of_one_event_is_limited(
    monkeypatch: pytest.MonkeyPatch, size: int, is_read: bool, cut: int
) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 30)
    event = b"event: e\ndata: ".ljust(size, b"x")
    stream = event + b"\n\nevent: next\ndata: {}\n\n"
    last = [("next", "{}")]
    assert parsed(stream[:cut], stream[cut:]) == [("e", "x" * (size - 15))] * is_read + last
    assert parsed(*(stream[i : i + 1] for i in range(len(stream))))[-1:] == last


def test_a_large_event_in_small_chunks_is_read_in_reasonable_time() -> None:
    data = json.dumps({"x": "y" * 1_000_000})
    whole = f"event: e\ndata: {data}\n\n".encode()
    started_s = time.perf_counter()
    assert parsed(*(whole[i : i + 1_024] for i in range(0, len(whole), 1_024))) == [("e", data)]
    assert time.perf_counter() - started_s < 0.5


@seeds(60)
def test_one_kind_of_event_is_found_however_the_bytes_are_cut(seed: int) -> None:
    dice = random.Random(seed)
    wanted = ["thread.run.completed", "thread.message.delta"][seed % 2]
    whole = stream(dice.choice(["\n", "\r\n", "\r"]), dice.choice(["", " "])) * 2
    expected = [(name, data) for name, data in EVENTS if name == wanted] * 2
    assert Finder(wanted).feed(whole) == expected
    finder, found = Finder(wanted), []
    while whole:
        size = dice.randint(1, 60)
        found += finder.feed(whole[:size])
        whole = whole[size:]
    assert found == expected


def test_a_name_that_stands_in_a_text_is_no_event() -> None:
    finder = Finder("thread.run.completed")
    chunks = (
        b'event: a\ndata: {"say": "thread.run.completed"}\n\n',
        b"event: thread.run.completed\ndata: 1\n\n",
    )
    assert [[name for name, _ in finder.feed(chunk)] for chunk in chunks] == [["a"], ["thread.run.completed"]]


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_the_event_in_whose_data_a_word_stands_is_found_whole_and_little_is_held(size: int) -> None:
    finder, found, held = Finder("wanted"), [], 0
    whole = b"data: {}\n\n" * 500 + b'data: {"x": "wanted", "y": 1}\n\n' + b"data: {}\n\n"
    for start in range(0, len(whole), size):
        found += finder.feed(whole[start : start + size])
        held = max(held, sum(map(len, finder._held)))
    assert found == [("", '{"x": "wanted", "y": 1}')]
    assert held <= 100 + size


def test_the_finder_holds_no_more_than_one_event_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1_000)
    finder = Finder("wanted")
    for _ in range(100):
        finder.feed(b"x" * 100)
        assert sum(map(len, finder._held)) <= 1_000


@pytest.mark.parametrize(
    ("body", "is_stream"),
    [
        (b"data: {}", True),
        (BOM + b"\r\n: hello\n", True),
        (b"event: e\ndata: {}\n\n", True),
        (b"id: 1\n", True),
        (b'{"data": 1}', False),
        (b"[]", False),
        (b"", False),
        (b"<html>", False),
        (b"database", False),
    ],
)
def test_a_body_that_is_a_stream_of_events(body: bytes, is_stream: bool) -> None:
    assert is_event_stream(body) is is_stream
