"""Read one HTTP/1.1 request body within limits: length or chunks from the wire, then gzip or deflate.

The length may be unknown: OpenTelemetry's exporter for Node sends compressed bodies in chunks.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from email.message import Message
from io import BufferedIOBase

# zlib's window sizes: 31 is gzip with its header and checksum, 15 the zlib form that HTTP calls deflate.
WINDOW_BITS: Mapping[str, int] = {"gzip": 31, "deflate": 15}
PLAIN = ("", "identity")
LINE_LIMIT = 1024  # a chunk's size line or a trailer, in bytes


class RefusedError(Exception):
    """The request can not be read. `status` is the HTTP status that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_body(stream: BufferedIOBase, headers: Message, max_bytes: int) -> bytes:
    """The body as sent. Refused when it is longer than `max_bytes`, cut short, or of unknown length."""
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return _read_chunks(stream, max_bytes)
    length = headers.get("Content-Length")
    if length is None:
        raise RefusedError(411, "Content-Length is missing")
    if not (length.isascii() and length.isdigit()):
        raise RefusedError(400, "Content-Length is not a number")
    return _read_exactly(stream, _allowed(int(length[:20]), max_bytes))


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
        _allowed(max_bytes - room, max_bytes)
        if not unfold.eof:
            raise RefusedError(400, f"the {encoding} body is cut short")
        body = unfold.unused_data
    return b"".join(parts)


def _allowed(size: int, max_bytes: int) -> int:
    if size > max_bytes:
        raise RefusedError(413, f"the body is larger than {max_bytes} bytes")
    return size


def _read_exactly(stream: BufferedIOBase, size: int) -> bytes:
    body = stream.read(size)
    if len(body) != size:
        raise RefusedError(400, "the body is shorter than announced")
    return body


def _read_chunks(stream: BufferedIOBase, max_bytes: int) -> bytes:
    body = bytearray()
    while size := _chunk_size(stream.readline(LINE_LIMIT)):
        _allowed(len(body) + size, max_bytes)
        body += _read_exactly(stream, size)
        if stream.readline(LINE_LIMIT).strip():
            raise RefusedError(400, "a chunk is longer than announced")
    while stream.readline(LINE_LIMIT).strip():  # trailers carry nothing for us
        pass
    return bytes(body)


def _chunk_size(line: bytes) -> int:
    digits = line.split(b";")[0].strip()
    if not digits or len(digits) > 16 or digits.strip(b"0123456789abcdefABCDEF"):
        raise RefusedError(400, "a chunk has no size")
    return int(digits, 16)
