"""Exports broken in one or several ways, and requests that no page makes. The same for the same seed."""

from __future__ import annotations

import gzip
import random
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from viewer.traffic import Traffic

PROTOBUF, JSON = "application/x-protobuf", "application/json"
PARAMETERS = (
    "q", "errors", "status", "name", "model", "service", "thread", "session", "user", "attr", "since", "day", "min", "sort",
    "order", "limit", "page", "by",
)  # fmt: skip
ODD = (
    "", "0", "-1", "1", "9" * 30, "1e400", "NaN", "%", "'; DROP TABLE runs; --", '"', '""', "*", "AND", "NEAR(", "a" * 600, "\x00",
    "\u202e", "\ufffd", "\U0001f4a5", "2026-02-30", "2026-01-05", "0000-00-00", "9999-12-31", "500ms", "1h",
    "duration", "asc", "day", "assistant",
    "../../etc/passwd", "key=value", "=", "==", "completed", "lookup", "\u4f4f",
)  # fmt: skip


class Mutator:
    """Good bodies, broken in one or several ways. The same for the same seed."""

    def __init__(self, seed: int) -> None:
        from runspan.viewer.web import otlp_json

        self._random = random.Random(seed)
        body, self.ids = Traffic(seed).export(2)
        from runspan.viewer.store import Store, rows

        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "t.db") as store:
            store.add(rows.traces(body, PROTOBUF)).result()
            text = otlp_json.export(store.packed(self.ids[0])) or b""
        self._good = {PROTOBUF: body, JSON: text}
        self._ways: Sequence[Callable[[bytes], bytes]] = (
            self._flip, self._cut, self._repeat, self._insert, self._number, self._swap, self._nest, self._noise,
        )  # fmt: skip

    def next(self) -> tuple[bytes, dict[str, str]]:
        """(body, headers)."""
        rnd = self._random
        content_type = rnd.choice((PROTOBUF, JSON))
        body = self._good[content_type]
        for _ in range(rnd.choice((0, 1, 1, 1, 2, 3, 8))):
            body = rnd.choice(self._ways)(body)
        headers = {"Content-Type": content_type}
        packing = rnd.random()
        if packing < 0.15:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, 1)
        elif packing < 0.2:
            headers["Content-Encoding"], body = "deflate", zlib.compress(body, 1)
        elif packing < 0.25:
            headers["Content-Encoding"] = rnd.choice(("gzip", "br", "zstd", "x" * 50))
        elif packing < 0.255:
            headers["Content-Encoding"], body = "gzip", gzip.compress(b"\0" * 30_000_000, 1)
        if "Content-Encoding" in headers and rnd.random() < 0.2:
            body = self._flip(self._cut(body))
        if rnd.random() < 0.02:
            headers["Content-Type"] = rnd.choice(
                (JSON, PROTOBUF, "text/plain", "", "application/json;charset=latin-1")
            )
        return body, headers

    def _flip(self, body: bytes) -> bytes:
        made = bytearray(body or b"\0")
        for _ in range(self._random.choice((1, 1, 4, 64))):
            made[self._random.randrange(len(made))] = self._random.randrange(256)
        return bytes(made)

    def _cut(self, body: bytes) -> bytes:
        return body[: self._random.randrange(len(body) + 1)]

    def _repeat(self, body: bytes) -> bytes:
        start = self._random.randrange(len(body) + 1)
        part = body[start : start + self._random.randrange(200)]
        return body[:start] + part * self._random.choice((2, 3, 50)) + body[start:]

    def _insert(self, body: bytes) -> bytes:
        at = self._random.randrange(len(body) + 1)
        odd = (
            b"\x00" * 9,
            b"\xff" * 12,
            b"\xed\xa0\x80",
            b'"\\ud800"',
            b"1e999",
            b"NaN",
            b"null",
            b"{}",
            b"[[[[",
            b"\xe2\x80\xae<script>",
        )
        return body[:at] + self._random.choice(odd) + body[at:]

    def _number(self, body: bytes) -> bytes:
        """Another value where a number stands: lengths in protobuf, any number in JSON."""
        value = self._random.choice((b"-1", b"18446744073709551616", b"1e400", b"0.5", b"9" * 400))
        at = body.find(b"17", self._random.randrange(len(body) + 1))
        return body if at < 0 else body[:at] + value + body[at + 2 :]

    def _swap(self, body: bytes) -> bytes:
        a, b = sorted(self._random.randrange(len(body) + 1) for _ in range(2))
        return body[b:] + body[a:b] + body[:a]

    def _nest(self, body: bytes) -> bytes:
        depth = self._random.choice((10, 90, 150, 5_000))
        if self._random.random() < 0.5:
            value: bytes = b'{"arrayValue":{"values":[' * depth + b"]}}" * depth
            attribute = b'[{"key":"k","value":' + value + b"}]"
            return b'{"resourceSpans":[{"resource":{"attributes":' + attribute + b"}}]}"
        inner = b""
        for _ in range(min(depth, 150)):  # any_value.array_value.values, each inside the last
            inner = _field(5, _field(1, inner))
        return _field(1, _field(1, _field(1, _field(1, b"k") + _field(2, inner))))

    def _noise(self, body: bytes) -> bytes:
        return self._random.randbytes(self._random.choice((0, 1, 7, 300)))

    def request(self) -> tuple[str, str, bytes]:
        """(method, path, body) of a request to the JSON API, with parts of real ones in it."""
        rnd = self._random
        name = rnd.choice((*ODD, *self.ids, f"{self.ids[0]}.{'0' * 16}", f"{self.ids[0]}.x"))
        path = rnd.choice(
            ("", "/runs", "/runs", "/runs", "/runs/{}", "/traces", "/traces/{}", "/threads/{}", "/sessions/{}", "/stats",
             "/export", "/{}")
        )  # fmt: skip
        pairs = [
            f"{rnd.choice(PARAMETERS)}={quote(rnd.choice(ODD))}" for _ in range(rnd.choice((0, 1, 1, 2, 5)))
        ]
        address = path.format(quote(name, safe="")) + ("?" + "&".join(pairs) if pairs else "")
        chance = rnd.random()
        if chance < 0.15:
            return "POST", "/import", self.next()[0]
        if chance < 0.2:
            return "POST", f"/traces/{quote(name, safe='')}/{rnd.choice(('keep', 'release', 'x', ''))}", b""
        if chance < 0.25:
            return "DELETE", f"/traces/{quote(name, safe='')}", b""
        if chance < 0.252:
            return "DELETE", f"/runs?{'&'.join(pairs)}", b""
        return "GET", address, b""


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length, size = bytearray(), len(value)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + value
