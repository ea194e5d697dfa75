"""Server-sent events out of raw bytes, as far as the API uses them (`event:` and `data:` lines)."""

from __future__ import annotations

from collections.abc import Iterator

MAX_EVENT_BYTES = 4_000_000  # of one event; a longer one is passed over


class Parser:
    """`feed(bytes)` yields `(event, data)` for each event that is complete."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, str]]:
        whole = (self._rest + data).replace(b"\r\n", b"\n")
        *blocks, rest = whole.split(b"\n\n")
        self._rest = rest if len(rest) <= MAX_EVENT_BYTES else b""
        for block in blocks:
            yield from _event(block.decode("utf-8", "replace"))


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
