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
        seam, self._tail = self._tail + data, (self._tail + data)[-3:]
        self._keep(data)
        if b"\n\n" not in seam and b"\n\r\n" not in seam:
            return
        *blocks, rest = b"".join(self._chunks).replace(b"\r\n", b"\n").split(b"\n\n")
        self._chunks, self._size = [], 0
        self._keep(rest)
        for block in blocks:
            yield from _event(block.decode("utf-8", "replace"))

    def _keep(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if self._size > MAX_EVENT_BYTES:
            self._chunks, self._size = [], 0


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
