"""What travels with a run: one short line of ASCII, read again exactly, and never trusted."""

from __future__ import annotations

import json
import random
import string
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.model import RunRequest, ToolCall
from runspan.core.run_context import (
    MAX_CALLS,
    MAX_HEADER_CHARS,
    MAX_METADATA_CHARS,
    RunContext,
    decode,
    encode,
)
from tests.core.words import S

PLAIN = RunContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", None, 1, 1_700_000_000 * S)
WHOLE = replace(
    PLAIN,
    parent_id="00f067aa0ba902b7",
    flags=3,
    response_ns=PLAIN.request_ns + 120_000_000,
    conversation_id="thread_1",
    request=RunRequest(
        "gpt-4o", "asst_1", stream=True, settings={"temperature": 0.5, "reasoning_effort": "low"}
    ),
    waiting=(ToolCall("call_1", "function", "get_weather"), ToolCall("call_2", "function", "météo & co = ;")),
    waiting_since_ns=PLAIN.request_ns + S,
    claimed=("call_1",),
    scope={"session.id": "s 1", "user.id": "ü&=;%", "tag.tags": ["a", "b"], "metadata": '{"plan":"pro"}'},
)


@pytest.mark.parametrize("carried", [PLAIN, WHOLE], ids=["plain", "whole"])
def test_what_was_written_is_read(carried: RunContext) -> None:
    line = encode(carried, MAX_HEADER_CHARS)
    assert decode(line) == carried
    assert line.isascii()
    assert line.isprintable()
    assert " " not in line


def test_the_plain_line_looks_like_this() -> None:
    assert encode(PLAIN, MAX_METADATA_CHARS) == (
        "v=1&t=0af7651916cd43dd8448eb211c80319c&s=b7ad6b7169203331&f=01&at=1700000000000000"
    )


PARTS = (
    "v=1&t=0af7651916cd43dd8448eb211c80319c&s=b7ad6b7169203331&p=00f067aa0ba902b7&f=03&at=1700000000000000",
    "&took=120000",
    "&stream=1",
    '&w=[1700000001000000,[["call_1","get_weather"],["call_2","m%C3%A9t%C3%A9o%20%26%20co%20%3D%20%3B"]]]',
    '&done=["call_1"]',
    "&th=thread_1",
    "&as=asst_1",
    "&model=gpt-4o",
    '&ask={"temperature":0.5,"reasoning_effort":"low"}',
    '&x.session.id="s%201"',
    '&x.user.id="%C3%BC%26%3D%3B%25"',
    '&x.tag.tags=["a","b"]',
    '&x.metadata="{%5C"plan%5C":%5C"pro%5C"}"',
)


def test_the_whole_line_looks_like_this() -> None:
    assert encode(WHOLE, MAX_HEADER_CHARS) == "".join(PARTS)


@pytest.mark.parametrize("max_chars", range(0, 620, 20))
def test_each_part_is_there_if_it_fits_beside_those_that_are_needed_more(max_chars: int) -> None:
    expected = PARTS[0]
    for part in PARTS[1:]:
        if len(expected + part) <= max_chars:
            expected += part
    assert encode(WHOLE, max_chars) == expected


@pytest.mark.parametrize("parts", range(2, len(PARTS) + 1))
def test_a_part_that_just_fits_is_there(parts: int) -> None:
    line = "".join(PARTS[:parts])
    assert encode(WHOLE, len(line)) == line


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"response_ns": PLAIN.request_ns - 5 * S}, "&took=0"),  # a clock that went back
        ({"response_ns": PLAIN.request_ns + 2_000}, "&took=2"),
        ({"response_ns": PLAIN.request_ns}, "&took=0"),
        ({"waiting": (ToolCall("c", "function", "f"),)}, '&w=[1700000000000000,[["c","f"]]]'),
        ({"request": RunRequest("", "", settings={})}, ""),
        ({"claimed": tuple(f"c{i}" for i in range(100))}, None),
    ],
)
def test_lines_of_less(fields: dict[str, Any], more: str | None) -> None:
    plain = encode(PLAIN, MAX_HEADER_CHARS)
    names = ",".join(f'"c{i}"' for i in range(MAX_CALLS))
    expected = f"&done=[{names}]" if more is None else more
    assert encode(replace(PLAIN, **fields), MAX_HEADER_CHARS) == plain + expected


@pytest.mark.parametrize(("flags", "is_sampled"), [(0, False), (1, True), (2, False), (3, True)])
def test_the_first_flag_says_whether_it_is_sampled(flags: int, is_sampled: bool) -> None:
    assert replace(PLAIN, flags=flags).is_sampled is is_sampled


PLAIN_LINE = encode(PLAIN, MAX_HEADER_CHARS)
CALLS = [[f"c{i}", "f"] for i in range(100)]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (PLAIN_LINE + "&later=5", {}),
        (PLAIN_LINE.replace("f=01", "f=1ff"), {"flags": 255}),
        (
            PLAIN_LINE.replace("at=1700000000000000", f"at={2**62 // 1_000}"),
            {"request_ns": 2**62 // 1_000 * 1_000},
        ),
        (PLAIN_LINE + "&took=0", {"response_ns": PLAIN.request_ns}),
        (PLAIN_LINE + '&w=[null,[["c","f"]]]', {"waiting": (ToolCall("c", "function", "f"),)}),
        (
            PLAIN_LINE + "&w=" + json.dumps([5, CALLS]),
            {
                "waiting": tuple(ToolCall(f"c{i}", "function", "f") for i in range(MAX_CALLS)),
                "waiting_since_ns": 5_000,
            },
        ),
        (
            PLAIN_LINE + "&done=" + json.dumps([c[0] for c in CALLS]),
            {"claimed": tuple(f"c{i}" for i in range(MAX_CALLS))},
        ),
        (PLAIN_LINE + '&ask={"a":[1],"b":null,"c":2}', {"request": RunRequest(settings={"c": 2})}),
        (
            PLAIN_LINE + '&x.a=[1,"b"]&x.b=5&x.c={"d":1}&x.d="e"&y.f="g"',
            {"scope": {"a": ["1", "b"], "d": "e"}},
        ),
        (PLAIN_LINE + "&zz=" + "x" * (2 * MAX_HEADER_CHARS - len(PLAIN_LINE) - 4), {}),
        (PLAIN_LINE + "".join(f"&z{i}=1" for i in range(95)), {}),
    ],
    ids=range(11),
)
def test_a_line_of_somebody_else_is_read_as_far_as_it_is_known(line: str, fields: dict[str, Any]) -> None:
    assert decode(line) == replace(PLAIN, **fields)


@pytest.mark.parametrize("max_chars", [MAX_HEADER_CHARS, MAX_METADATA_CHARS, 200, 0])
def test_what_does_not_fit_is_left_out_the_identity_never(max_chars: int) -> None:
    huge = replace(WHOLE, scope={**WHOLE.scope, "metadata": "x" * 5_000, "tag.tags": ["é" * 300]})
    line = encode(huge, max_chars)
    assert len(line) <= max(max_chars, 140)
    found = decode(line)
    assert found is not None
    assert (found.trace_id, found.span_id, found.parent_id, found.flags) == (
        WHOLE.trace_id,
        WHOLE.span_id,
        WHOLE.parent_id,
        3,
    )
    assert found.request_ns == WHOLE.request_ns
    if max_chars >= MAX_METADATA_CHARS:
        assert (found.scope["session.id"], found.scope["user.id"]) == ("s 1", "ü&=;%")
        assert found.waiting == WHOLE.waiting
    assert "metadata" not in found.scope


def test_calls_are_bounded() -> None:
    many = tuple(ToolCall(f"c{i}", "function", "f") for i in range(100))
    found = decode(encode(replace(PLAIN, waiting=many), MAX_HEADER_CHARS))
    assert found is not None
    assert found.waiting == many[:MAX_CALLS]


LINE = encode(WHOLE, MAX_HEADER_CHARS)


@pytest.mark.parametrize(
    "line",
    [
        None,
        7,
        b"v=1",
        "",
        "v=1",
        LINE.replace("v=1", "v=2"),
        LINE.replace("t=0af", "t=XYZ"),
        LINE.replace(PLAIN.trace_id, "0" * 32),
        LINE.replace(PLAIN.span_id, "0" * 16),
        LINE.replace(PLAIN.span_id, PLAIN.span_id + "00"),
        LINE.replace("f=03", "f=zz"),
        LINE.replace("at=17", "at=-17"),
        LINE.replace("at=17", "at=" + "9" * 40),
        LINE.replace("took=120000", "took=1e9"),
        LINE.replace("took=120000", "took=٣"),
        LINE.replace("at=1700000000000000", f"at={2**62 // 1_000 + 1}"),
        LINE.replace(PLAIN.trace_id, PLAIN.trace_id.upper()),
        LINE.replace(WHOLE.parent_id or "", "0" * 16),
        LINE + "&junk",
        LINE + "&w=[-5,[]]",
        LINE + "&done=5",
        LINE + "&zz=" + "x" * (2 * MAX_HEADER_CHARS - len(LINE) - 3),
        PLAIN_LINE + "".join(f"&z{i}=1" for i in range(96)),
        LINE + "&w=[",
        LINE + "&w=[1,[[1,2]]]",
        LINE + "&w=5",
        LINE + "&ask=[]",
        LINE + '&done={"a":1}&done=[1]',
        LINE + "&x.a={",
        LINE + "&w=" + "[" * 3_000,
        "&".join(f"a{i}=1" for i in range(1_000)),
    ],
    ids=range(31),
)
def test_anything_else_is_nothing(line: Any) -> None:
    assert decode(line) is None


def test_random_damage_never_raises() -> None:
    rng = random.Random(7)
    for _ in range(1_500):
        chars = list(LINE)
        for _ in range(rng.randint(1, 6)):
            chars[rng.randrange(len(chars))] = rng.choice(string.printable)
        found = decode("".join(chars))
        assert found is None or len(encode(found, MAX_HEADER_CHARS)) <= MAX_HEADER_CHARS
