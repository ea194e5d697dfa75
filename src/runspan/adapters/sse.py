"""Server-sent events out of raw bytes, as far as the API uses them (`event:` and `data:` lines)."""

from __future__ import annotations

from collections.abc import Iterator

MAX_EVENT_BYTES = 4_000_000  # of one event; a longer one is passed over


class Parser:
    """`feed(bytes)` yields `(event, data)` for each event that is complete."""

    __slots__ = ("_chunks", "_size", "_tail")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []  # of the event that is not complete; joined only when it may be
        self._size = 0
        self._tail = b""  # the last bytes before, where a separator may have been cut

    def feed(self, data: bytes) -> Iterator[tuple[str, str]]:
        seam = self._tail + data
        self._tail = seam[-2:]
        self._chunks.append(data)
        self._size += len(data)
        blocks: list[bytes] = []
        if b"\n\n" in seam or b"\n\r\n" in seam:
            *blocks, rest = b"".join(self._chunks).replace(b"\r\n", b"\n").split(b"\n\n")
            self._chunks, self._size = [rest], len(rest)
        if self._size > MAX_EVENT_BYTES:
            self._chunks, self._size = [], 0
        for block in blocks:
            if len(block) <= MAX_EVENT_BYTES:
                yield from _event(block.decode("utf-8", "replace"))


class Finder:
    """`feed(bytes)` gives the data of events of one name when they are complete. Costs a search, no parsing, before the first."""

    __slots__ = ("_mark", "_name", "_parser", "_tail")

    def __init__(self, name: str) -> None:
        self._name = name
        self._mark = name.encode()
        self._parser: Parser | None = None  # from the first mark on, wherever that stood
        self._tail = b""

    def feed(self, data: bytes) -> tuple[str, ...]:
        if self._parser is None:
            seam = self._tail + data
            if self._mark not in seam:
                self._tail = seam[1 - len(self._mark) :]
                return ()
            self._parser = Parser()
            data = b"event:" + seam[seam.index(self._mark) :]
        return tuple(text for name, text in self._parser.feed(data) if name == self._name)


def _event(block: str) -> Iterator[tuple[str, str]]:
    name, lines = "", []
    for line in block.split("\n"):
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            lines.append(value)
    if name and lines:
        yield name, "\n".join(lines)
