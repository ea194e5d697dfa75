"""What travels with a run: one short line of ASCII, read again exactly, and never trusted."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.carried import MAX_CALLS, MAX_HEADER_CHARS, MAX_METADATA_CHARS, Carried, decode, encode
from runspan.core.model import RunRequest, ToolCall
from tests.core.words import S

PLAIN = Carried("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", None, 1, 1_700_000_000 * S)
WHOLE = replace(
    PLAIN,
    parent_id="00f067aa0ba902b7",
    flags=3,
    response_ns=PLAIN.request_ns + 120_000_000,
    thread_id="thread_1",
    request=RunRequest(
        "gpt-4o", "asst_1", stream=True, settings={"temperature": 0.5, "reasoning_effort": "low"}
    ),
    waiting=(ToolCall("call_1", "function", "get_weather"), ToolCall("call_2", "function", "météo & co = ;")),
    waiting_since_ns=PLAIN.request_ns + S,
    claimed=("call_1",),
    scope={"session.id": "s 1", "user.id": "ü&=;%", "tag.tags": ["a", "b"], "metadata": '{"plan":"pro"}'},
)


@pytest.mark.parametrize("carried", [PLAIN, WHOLE], ids=["plain", "whole"])
def test_what_was_written_is_read(carried: Carried) -> None:
    line = encode(carried, MAX_HEADER_CHARS)
    assert decode(line) == carried
    assert line.isascii()
    assert line.isprintable()
    assert " " not in line


def test_the_plain_line_looks_like_this() -> None:
    assert encode(PLAIN, MAX_METADATA_CHARS) == (
        "v=1&t=0af7651916cd43dd8448eb211c80319c&s=b7ad6b7169203331&f=01&at=1700000000000000"
    )


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
        LINE + "&w=[",
        LINE + "&w=[1,[[1,2]]]",
        LINE + "&w=5",
        LINE + "&ask=[]",
        LINE + '&done={"a":1}&done=[1]',
        LINE + "&x.a={",
        LINE + "&w=" + "[" * 3_000,
        "&".join(f"a{i}=1" for i in range(1_000)),
    ],
    ids=range(23),
)
def test_anything_else_is_nothing(line: Any) -> None:
    assert decode(line) is None


def test_random_damage_never_raises() -> None:
    rng = random.Random(7)
    for _ in range(5_000):
        chars = list(LINE)
        for _ in range(rng.randint(1, 6)):
            chars[rng.randrange(len(chars))] = rng.choice(string.printable)
        found = decode("".join(chars))
        assert found is None or len(encode(found, MAX_HEADER_CHARS)) <= MAX_HEADER_CHARS
