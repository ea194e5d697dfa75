"""JSON out of a file, piece by piece: lines of their own, or one document, whose long lists come in slices.

A slice of a document has the document's own shape: its fields as far as they were read, and one list with some of its elements.
So a page of 1,000,000 objects is read in the memory of a few hundred. Which lists may be cut apart, the caller knows: half an
object would be read as a whole one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, TextIO

from msgspec import Struct

from ..core import jsontext

MAX_CHARS = 64_000_000  # of one line, one element or one small document
SLICE = 500  # elements of a long list at once
CHUNK_CHARS = 1_000_000
LOOK_LINES, LOOK_CHARS = 5, 1_000_000  # that decide whether each line is JSON of its own
_BLANK = re.compile(r"[\s﻿]*")
_NO_TEXT = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, as `surrogateescape` reads them
_DECODER = json.JSONDecoder()
_ERRORS = (ValueError, RecursionError)
NOT_UTF_8 = "not UTF-8"
NO_JSON = "neither JSON nor JSON lines"

MayCut = Callable[[Mapping[str, Any], str], bool]


class Value(Struct, frozen=True):
    """One JSON value, and the line where it begins."""

    line: int
    value: Any


class Fault(Struct, frozen=True):
    """What can't be read, and why."""

    line: int
    reason: str


def values(file: TextIO, may_cut: MayCut) -> Iterator[Value | Fault]:
    """Everything in `file`, which can be read twice from its start and has bytes that are no text as `surrogateescape` gives them.

    `may_cut(fields, name)`: whether the list `name` of an object may come in slices, by the fields that stand before it.
    """
    head = list(islice(iter(lambda: file.readline(LOOK_CHARS), ""), LOOK_LINES))
    file.seek(0)
    first = next((line for line in map(_stripped, head) if line), "")
    is_long = any(len(line) >= LOOK_CHARS for line in head[:1])
    # A document over many lines has a bracket alone in its first one.
    if not is_long and first not in ("{", "[") and any(isinstance(_value(line), dict) for line in head):
        yield from _lines(file)
    elif first[:1] in ("{", "[", ""):
        yield from _documents(file, may_cut, by_line=is_long)
    else:
        yield Fault(1, NOT_UTF_8 if _NO_TEXT.search(first) else NO_JSON)


def reason(error: Exception) -> str:
    """Why something is no JSON, without the text itself."""
    if isinstance(error, UnicodeError):
        return NOT_UTF_8
    if isinstance(error, json.JSONDecodeError):
        return f"broken JSON: {error.msg}"
    return "broken JSON: nested too deep" if isinstance(error, RecursionError) else "broken JSON"


# ---------------------------------------------------------------- lines


def _stripped(line: str) -> str:
    return line.strip("\ufeff \t\r\n")


def _value(line: str) -> Any:
    try:
        return jsontext.loads(line)
    except _ERRORS:
        return None


def _lines(file: TextIO) -> Iterator[Value | Fault]:
    number = 0
    while line := file.readline(MAX_CHARS):
        number += 1
        if len(line) >= MAX_CHARS:
            yield Fault(number, f"a line of more than {MAX_CHARS:,} characters")
            while line and not line.endswith("\n"):
                line = file.readline(MAX_CHARS)
        elif text := _stripped(line):
            try:
                _check(text)
                yield Value(number, jsontext.loads(text))
            except _ERRORS as error:
                is_cut = not line.endswith("\n") and not isinstance(error, UnicodeError)
                yield Fault(number, "the line is cut" if is_cut else reason(_own(error, text)))


def _check(text: str) -> None:
    """Raises UnicodeError."""
    if _NO_TEXT.search(text):
        raise UnicodeError


def _own(error: Exception, text: str) -> Exception:
    """As the standard library says it, which names what is wrong."""
    if isinstance(error, UnicodeError):
        return error
    try:
        json.loads(text)
    except _ERRORS as told:
        return told
    return RecursionError() if "deep" in str(error) else error


# ---------------------------------------------------------------- documents


def _documents(file: TextIO, may_cut: MayCut, *, by_line: bool) -> Iterator[Value | Fault]:
    """One or more. Lists that may be cut and are long come in slices; what stands before a fault is there.

    `by_line`: the first one stands on a long line of its own; behind a fault the next line may begin another one.
    """
    text = _Text(file)
    if not text.next_char():
        yield Fault(1, "the file is empty")
    goes_on, begun_at = True, 1
    while goes_on:
        try:
            while opened := text.next_char():
                begun_at = text.line
                if opened == "[":
                    for line, elements in _slices(text):
                        yield Value(line, elements)
                else:
                    yield from _members(text, may_cut)
            return
        except _ERRORS as error:  # noqa: PERF203 - a document, not a value, costs it
            line = text.line
            goes_on = by_line and line == begun_at and text.next_line() == "{"
            yield Fault(line, reason(error) if goes_on else f"{reason(error)}; what follows is not read")


def _members(text: _Text, may_cut: MayCut) -> Iterator[Value | Fault]:
    fields: dict[str, Any] = {}
    begun_at, has_given = text.line, False
    text.skip("{")
    while text.next_char() != "}":
        key = text.value()
        if not isinstance(key, str):
            raise json.JSONDecodeError("a name is no text", "", 0)
        text.skip(":")
        if text.next_char() != "[" or not may_cut(fields, key):
            fields[key] = text.value()
        else:
            fields[key] = []
            try:
                for line, elements in _slices(text):
                    if has_given or len(elements) == SLICE:
                        has_given = True
                        yield Value(line, {**fields, key: elements})
                    else:
                        fields[key] = elements
            except _ERRORS:
                yield Value(begun_at, fields)
                raise
        if text.next_char() == ",":
            text.skip(",")
    text.skip("}")
    if not has_given or any(isinstance(value, list) and value for value in fields.values()):
        yield Value(begun_at, fields)


def _slices(text: _Text) -> Iterator[tuple[int, list[Any]]]:
    """(line, elements); a fault in the list comes behind all that stands before it."""
    text.skip("[")
    line, elements = text.line, list[Any]()
    try:
        while text.next_char() != "]":
            elements.append(text.value())
            if len(elements) == SLICE:
                yield line, elements
                line, elements = text.line, []
            if text.next_char() == ",":
                text.skip(",")
    except _ERRORS:
        if elements:
            yield line, elements
        raise
    text.skip("]")
    yield line, elements


class _Text:
    """A text that is read as far as it is needed. `line`: of the next character."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._held = ""
        self._at = 0
        self._is_whole = False
        self.line = 1

    def next_char(self) -> str:
        """Behind blanks; empty at the end."""
        while True:
            found = _BLANK.match(self._held, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._held) or not self._more():
                return self._held[self._at : self._at + 1]

    def skip(self, char: str) -> None:
        if self.next_char() != char:
            raise json.JSONDecodeError(f"{char!r} is missing", "", 0)
        self._move(self._at + 1)

    def next_line(self) -> str:
        """Go there; what it begins with."""
        while (end := self._held.find("\n", self._at)) < 0:
            self._at = len(self._held)
            if not self._more():
                return ""
        self._move(end + 1)
        return self.next_char()

    def value(self) -> Any:
        """The JSON value here; a number at the end of what is held may go on."""
        self.next_char()
        while (found := self._decoded()) is None:
            pass
        value, end = found
        if _NO_TEXT.search(self._held, self._at, end):
            raise UnicodeError
        self._move(end)
        return value

    def _decoded(self) -> tuple[Any, int] | None:
        """(value, where it ends); None: more was read, look again."""
        try:
            value, end = _DECODER.raw_decode(self._held, self._at)
        except json.JSONDecodeError as error:
            is_inside = error.pos < len(self._held) - 20 and not error.msg.startswith("Unterminated")
            if is_inside or len(self._held) - self._at > MAX_CHARS or not self._more():
                raise
            return None
        return (value, end) if end < len(self._held) or not self._more() else None

    def _move(self, at: int) -> None:
        self.line += self._held.count("\n", self._at, at)
        self._at = at

    def _more(self) -> bool:
        """Twice as much of what is not read yet, so that a long value is looked at a few times only."""
        if self._is_whole:
            return False
        left = self._held[self._at :]
        more = self._file.read(max(CHUNK_CHARS, len(left)))
        self._held, self._at, self._is_whole = left + more, 0, not more
        return bool(more)
