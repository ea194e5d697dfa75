"""Compressed bodies, made readable piece by piece, beside the client that does the same for the app.

What is no such body, though its server says so, is unreadable: the client tells its app.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

MAX_BYTES = 8_000_000  # of one body that is kept, and that one piece may grow to

# (a body, its encoding) -> the body decompressed, by the client's own means
Whole = Callable[[bytes, str], bytes]


class _Gzip:
    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)
        self._is_broken = False

    def decode(self, data: bytes) -> bytes:
        try:
            return b"" if self._is_broken else self._inflate.decompress(data, MAX_BYTES)
        except zlib.error:
            self._is_broken = True
            return b""

    def finish(self) -> bytes:
        return b"" if self._is_broken else self._inflate.flush()


class _AtTheEnd:
    """Any other encoding (br, zstd ...): the body is decompressed once it is whole."""

    def __init__(self, whole: Whole, encoding: str) -> None:
        self._whole = whole
        self._encoding = encoding
        self._chunks: list[bytes] = []
        self._size = 0

    def decode(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size <= MAX_BYTES:
            self._chunks.append(data)
        return b""

    def finish(self) -> bytes:
        if self._size > MAX_BYTES:
            return b""
        try:
            return self._whole(b"".join(self._chunks), self._encoding)
        except Exception:  # each client has its own
            return b""


Decoder = _Gzip | _AtTheEnd


def decoder_of(response: Any, whole: Whole) -> Decoder | None:
    """For the bytes that are still to be read of an HTTP response; None: they are readable as they come."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return None
    return _Gzip() if encoding in ("gzip", "x-gzip") else _AtTheEnd(whole, encoding)
