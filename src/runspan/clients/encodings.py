"""Compressed bodies, made readable piece by piece, beside the client that does the same for the app."""

from __future__ import annotations

import zlib
from typing import Any, Protocol

MAX_BYTES = 8_000_000  # of one body that is kept, and that one piece may grow to


class Decoder(Protocol):
    def decode(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)

    def decode(self, data: bytes) -> bytes:
        return self._inflate.decompress(data, MAX_BYTES)

    def finish(self) -> bytes:
        return self._inflate.flush()


class _ByTheClient:
    """Any other encoding (br, zstd ...): the client's own class of responses decompresses the body once it is whole."""

    def __init__(self, kind: Any, encoding: str) -> None:
        self._kind = kind
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
        whole = self._kind(200, headers={"content-encoding": self._encoding}, content=b"".join(self._chunks))
        content: bytes = whole.content
        return content


def decoder_of(response: Any) -> Decoder | None:
    """For the bytes that are still to be read of an HTTP response; None: they are readable as they come."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return None
    return _Gzip() if encoding in ("gzip", "x-gzip") else _ByTheClient(type(response), encoding)
