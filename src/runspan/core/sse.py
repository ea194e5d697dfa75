"""Server-sent events out of raw bytes: `event:` and `data:` lines, ended by LF, CRLF or CR, cut anywhere.

A body that is JSON, though events were asked for, is one event without a name; one that is JSON in lines is an event a line.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_EVENT_BYTES = 4_000_000  # of one event; a longer one is passed over

BOM = b"\xef\xbb\xbf"
_FIELDS = (b"event:", b"data:", b"id:", b"retry:", b":")


def is_event_stream(body: bytes) -> bool:
    """Whether a body that should be JSON is a stream of events."""
    return body[:1] != b"{" and body[:1_000].removeprefix(BOM).lstrip().startswith(_FIELDS)


class Parser:
    """`feed(bytes)` yields `(event, data)` for each event that is complete; `event` is "" where no line names it.

    `finish()` yields what the stream's end left without its blank line.
    """

    __slots__ = ("_chunks", "_ends_in_cr", "_is_json", "_size", "_tail")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []  # of the event that is not complete; joined only when it may be
        self._size = 0
        self._tail = b""  # the last byte before, where a separator may have been cut
        self._ends_in_cr = False
        self._is_json: bool | None = None  # None: nothing but blanks came

    def feed(self, data: bytes) -> Iterator[tuple[str, str]]:
        data = self._with_one_line_end(data)
        if self._is_json is None:
            data = self._begun(data)
        if not data:
            return
        seam = self._tail + data
        self._tail = data[-1:]
        self._chunks.append(data)
        self._size += len(data)
        blocks: list[bytes] = []
        if b"\n\n" in seam and not self._is_json:
            *blocks, rest = b"".join(self._chunks).split(b"\n\n")
            self._chunks, self._size = [rest], len(rest)
        if self._size > MAX_EVENT_BYTES:
            self._chunks, self._size = [], 0
        for block in blocks:
            if len(block) <= MAX_EVENT_BYTES:
                yield from _event(block.decode("utf-8", "replace"))

    def finish(self) -> Iterator[tuple[str, str]]:
        rest = b"".join(self._chunks).decode("utf-8", "replace")
        self._chunks, self._size = [], 0
        if self._is_json:
            yield from [("", text) for text in _objects_in(rest.split("\n")) or [rest]]
        else:
            yield from _event(rest)

    def _with_one_line_end(self, data: bytes) -> bytes:
        if self._ends_in_cr and data[:1] == b"\n":
            data = data[1:]
            self._ends_in_cr = False
        if data:
            self._ends_in_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data

    def _begun(self, data: bytes) -> bytes:
        """The first bytes, without blanks and a byte order mark, which may come in pieces, too."""
        data = b"".join((*self._chunks, data))
        self._chunks, self._size = [], 0
        if BOM.startswith(data):  # not all of it is here
            self._chunks = [data]
            return b""
        data = data.removeprefix(BOM).lstrip()
        if data:
            self._is_json = data.startswith((b"{", b"["))
        return data


class Finder:
    """`feed(bytes)` gives the complete events in which a word stands. Costs a few searches, no parsing, before the first."""

    __slots__ = ("_held", "_mark", "_parser", "_size", "_tail")

    def __init__(self, word: str) -> None:
        self._mark = word.encode()
        self._parser: Parser | None = None  # from the first mark on
        self._held: list[bytes] = []  # since the last blank line: the event that may have the mark in it
        self._size = 0
        self._tail = b""

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        if self._parser is None:
            seam = self._tail + data
            self._tail = seam[1 - len(self._mark) :]
            if self._mark not in seam:
                self._hold(seam, data)
                return []
            self._parser, data = Parser(), b"".join((*self._held, data))
            self._held = []
        return self._marked(self._parser.feed(data))

    def finish(self) -> list[tuple[str, str]]:
        return [] if self._parser is None else self._marked(self._parser.finish())

    def _hold(self, seam: bytes, data: bytes) -> None:
        if data.endswith(b"\n\n"):  # nearly always: a chunk is an event
            self._held, self._size = [], 0
            return
        blank = max(map(seam.rfind, (b"\n\n", b"\n\r\n", b"\r\r")))
        if blank >= 0:
            self._held, self._size = [seam[blank:]], len(seam) - blank
        else:
            self._held.append(data)
            self._size += len(data)
            if self._size > MAX_EVENT_BYTES:
                self._held, self._size = [], 0

    def _marked(self, events: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
        word = self._mark.decode()
        return [(name, text) for name, text in events if word in name or word in text]


def _event(block: str) -> Iterator[tuple[str, str]]:
    """One event; or several, of servers that leave out the blank line between them."""
    name, lines, names = "", [], []
    for line in block.split("\n"):
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            lines.append(value)
            if value.strip():
                names.append(name)
    if len(objects := _objects_in(lines)) > 1:
        yield from zip(names, objects, strict=False)  # one name more: that of the last, which is no object
    elif lines:
        yield name, "\n".join(lines)


def _objects_in(lines: list[str]) -> list[str]:
    """The lines, if each is a JSON object of its own; one object in several lines has others. The last may be `[DONE]`."""
    said = [line for line in map(str.strip, lines) if line]
    if said and said[-1][:1] != "{":
        said.pop()
    return said if all(line[0] == "{" and line[-1] == "}" for line in said) else []
