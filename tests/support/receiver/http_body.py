"""Read one HTTP/1.1 request body within limits: length or chunks from the wire.

The length may be unknown: OpenTelemetry's exporter for Node sends compressed bodies in chunks.
"""

from __future__ import annotations

from email.message import Message
from io import BufferedIOBase

from runspan.viewer.http_body import RefusedError, allowed

LINE_LIMIT = 1024  # a chunk's size line or a trailer, in bytes


def read_body(stream: BufferedIOBase, headers: Message, max_bytes: int) -> bytes:
    """The body as sent. Refused when it is longer than `max_bytes`, cut short, or of unknown length."""
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return _read_chunks(stream, max_bytes)
    length = headers.get("Content-Length")
    if length is None:
        raise RefusedError(411, "Content-Length is missing")
    if not (length.isascii() and length.isdigit()):
        raise RefusedError(400, "Content-Length is not a number")
    return _read_exactly(stream, allowed(int(length[:20]), max_bytes))


def _read_exactly(stream: BufferedIOBase, size: int) -> bytes:
    body = stream.read(size)
    if len(body) != size:
        raise RefusedError(400, "the body is shorter than announced")
    return body


def _read_chunks(stream: BufferedIOBase, max_bytes: int) -> bytes:
    body = bytearray()
    while size := _chunk_size(stream.readline(LINE_LIMIT)):
        allowed(len(body) + size, max_bytes)
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
