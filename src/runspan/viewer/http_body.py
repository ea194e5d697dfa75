"""The body of a request without its gzip or deflate, within limits."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

# zlib's window sizes: 31 is gzip with its header and checksum, 15 the zlib form that HTTP calls deflate.
WINDOW_BITS: Mapping[str, int] = {"gzip": 31, "deflate": 15}
PLAIN = ("", "identity")


class RefusedError(Exception):
    """The request can not be read. `status` is the HTTP status that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body without its content encoding. A bomb is refused before it unfolds."""
    encoding = encoding.strip().lower()
    if encoding in PLAIN:
        return body
    if encoding not in WINDOW_BITS:
        raise RefusedError(415, f"content encoding is not one of {', '.join(WINDOW_BITS)}")
    parts: list[bytes] = []
    room = max_bytes
    while body:  # gzip may come in several members, one after the other
        unfold = zlib.decompressobj(WINDOW_BITS[encoding])
        try:
            parts.append(unfold.decompress(body, room + 1))
        except zlib.error as error:
            raise RefusedError(400, f"the body is not {encoding}: {error}") from error
        room -= len(parts[-1])
        allowed(max_bytes - room, max_bytes)
        if not unfold.eof:
            raise RefusedError(400, f"the {encoding} body is cut short")
        body = unfold.unused_data
    return b"".join(parts)


def allowed(size: int, max_bytes: int) -> int:
    if size > max_bytes:
        raise RefusedError(413, f"the body is larger than {max_bytes} bytes")
    return size
