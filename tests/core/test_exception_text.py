"""Messages of exceptions: what `str` says, in bounds, and without code of the app but a class's own `__str__`."""

from __future__ import annotations

import base64
import json
import os
import pathlib
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runspan.core.exception_text import text_of
from runspan.core.redact import CUT, MARGIN, MAX_READ, Texts
from runspan.core.secrets import MASKED


class Slow:
    """Must never be shown by its own code."""

    def __repr__(self) -> NoReturn:
        raise AssertionError("its __repr__ ran")

    __str__ = __repr__


class SlowText(str):
    """The same for a text."""

    __slots__ = ()
    __repr__ = __str__ = Slow.__repr__


class SubError(KeyError):
    """Has the `__str__` of its base."""


class OwnError(Exception):
    def __str__(self) -> str:
        return "own words"


def of_a_missing_file() -> OSError:
    try:
        os.stat(pathlib.Path("/nowhere/at all"))
    except OSError as error:
        return error
    raise AssertionError("it is there")


SLOW = "<tests.core.test_exception_text.Slow>"
SAME_AS_STR = [
    ValueError(),
    ValueError("one"),
    ValueError("one", 2, None, 1.5),
    ValueError(3),
    ValueError(b"bytes"),
    ValueError({"a": [1, ("b",)], "c": {}}),
    KeyError("missing"),
    KeyError("it's"),
    KeyError(("a", 1)),
    KeyError(),
    OSError(2, "No such file", "name"),
    OSError("plain"),
    FileNotFoundError(2, "No such file"),
    FileNotFoundError(2, "No such file", "from", None, "to"),
    of_a_missing_file(),
    KeyError("a", 1),
    SubError("a"),
    AttributeError("no such", name="x", obj=Slow()),
    SyntaxError("bad", ("file.py", 3, 1, "text")),
    ConnectionError(ValueError("inner words")),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    UnicodeEncodeError("ascii", "ü" * 1_000_000, 0, 1_000_000, "ordinal not in range"),
    ImportError("no module", name="x"),
    SyntaxError("bad"),
    StopIteration(5),
    SystemExit(3),
    json.JSONDecodeError("Expecting value", "x", 0),
    OwnError("not these"),
    ValueError("ü𝄞日"),
]


@pytest.mark.parametrize("error", SAME_AS_STR, ids=repr)
def test_it_says_what_str_says(error: BaseException) -> None:
    assert text_of(error) == (str(error) or None)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(Slow()), SLOW),
        (ValueError("seen", Slow()), f"('seen', {SLOW})"),
        (ValueError({"k": [Slow()]}), f"{{'k': [{SLOW}]}}"),
        (KeyError(Slow()), SLOW),
        (OSError(Slow()), SLOW),
        (RuntimeError(ValueError(Slow())), SLOW),
        (ValueError([ValueError(Slow())]), f"[ValueError({SLOW!r})]"),
        (ValueError(10**5_000), "<int of 16610 bits>"),
        (KeyError("a", Slow()), f"('a', {SLOW})"),
        (SubError("a", Slow()), f"('a', {SLOW})"),
        (FileNotFoundError(2, "No such file", Slow()), f"[Errno 2] No such file: {SLOW}"),
        (FileNotFoundError(2, Slow(), "name"), f"[Errno 2] {SLOW}: 'name'"),
        (OSError(2, "words", "from", None, Slow()), f"[Errno 2] words: 'from' -> {SLOW}"),
        (ImportError(Slow()), SLOW),
        (AttributeError(Slow()), SLOW),
        (SyntaxError(Slow()), SLOW),
        (UnicodeDecodeError("utf-8", b"", 0, 1, SlowText("bad")), None),
        (AttributeError(SlowText("seen")), "seen"),
    ],
    ids=map(str, range(18)),
)
def test_no_repr_of_the_app_runs(error: BaseException, text: str | None) -> None:
    """None: whatever it says."""
    assert text_of(error) == text if text is not None else text_of(error)


def nested(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


HUGE = "x" * 2_000_000


@pytest.mark.parametrize(
    "error",
    [
        ValueError(HUGE),
        ValueError(HUGE, HUGE),
        ValueError(HUGE.encode()),
        KeyError(HUGE),
        OwnError(HUGE),
        ValueError([HUGE] * 100),
        ValueError(dict.fromkeys(range(100_000), HUGE)),
        ValueError(list(range(1_000_000))),
        ValueError(nested(10_000)),
        ValueError(ValueError(ValueError(HUGE))),
        OSError(HUGE),
        OSError(2, HUGE, HUGE),
        ImportError(HUGE),
        ImportError(HUGE, HUGE),
        AttributeError((HUGE,) * 5),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_is_bounded(error: BaseException) -> None:
    text = text_of(error)
    assert text is not None
    assert 0 < len(text) <= MAX_READ
    assert len(text_of(error, 100) or "") <= 100


def test_a_class_whose_own_str_raises_says_nothing() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert text_of(MuteError()) is None


# ---------------------------------------------------------------- what of it is read


def test_of_a_long_error_no_more_is_read_than_may_go_out() -> None:
    read: list[int] = []

    def redact(_: str, text: str) -> str:
        read.append(len(text))
        return text

    texts = Texts(redact=redact, max_chars=1_000)
    kept = texts.keep("error", "word " * 10_000_000)
    assert read
    assert max(read) <= 1_000 + MARGIN
    assert kept is not None
    assert (len(kept), kept[-1]) == (1_000, CUT)


@settings(max_examples=200)
@given(st.integers(0, 3_000 + MARGIN), st.sampled_from(["", " ", "\n", '"']), st.integers(0, 30))
def test_a_key_at_any_place_of_a_cut_error_never_goes_out_in_part(
    place: int, around: str, masked: int
) -> None:
    """Also where masking other keys shortens the text, so that its cut end comes into sight."""
    texts = Texts(max_chars=2_000)
    key = "Kq-7" * 225
    texts.secrets.add([key])
    before = f"{key} " * (masked % 4) + "." * place
    kept = texts.keep("error", before + around + key + around + "." * 50_000) or ""
    assert "Kq-7" not in kept
    assert len(kept) <= 2_000
    assert kept.endswith(CUT)
    assert MASKED in kept or place > 2_000 - len(key)


@pytest.mark.parametrize("lines", [False, True])
def test_binary_data_that_is_cut_says_so_and_no_size(lines: bool) -> None:
    data = base64.b64encode(bytes(range(256)) * 400).decode()
    shown = "\n".join(data[i : i + 76] for i in range(0, len(data), 76)) if lines else data
    kept = Texts(max_chars=5_000).keep("error", f"cannot read {shown}") or ""
    assert kept.startswith("cannot read ")
    assert "sha256" not in kept
    assert data[:100] not in kept
