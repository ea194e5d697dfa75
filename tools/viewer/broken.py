"""Exports broken in one or several ways, and requests that no page makes. The same for the same seed."""

from __future__ import annotations

import gzip
import random
import tempfile
import zlib
from pathlib import Path
from urllib.parse import quote

from viewer.traffic import PROTOBUF, Traffic

JSON = "application/json"
KINDS = (JSON, PROTOBUF, "text/plain", "", "application/json;charset=latin-1")
PARAMETERS = (
    "q", "errors", "status", "name", "model", "service", "thread", "session", "user", "attr", "since", "day", "min", "sort",
    "order", "limit", "page", "by",
)  # fmt: skip
ODD = (
    "", "0", "-1", "1", "9" * 30, "1e400", "NaN", "%", "'; DROP TABLE runs; --", '"', '""', "*", "AND", "NEAR(", "a" * 600, "\x00",
    "\u202e", "\ufffd", "\U0001f4a5", "2026-02-30", "2026-01-05", "0000-00-00", "9999-12-31", "500ms", "1h",
    "duration", "asc", "day", "assistant", "../../etc/passwd", "key=value", "=", "==", "completed", "lookup", "\u4f4f",
)  # fmt: skip
ODD_BYTES = (
    b"\x00" * 9, b"\xff" * 12, b"\xed\xa0\x80", b'"\\ud800"', b"1e999", b"NaN", b"null", b"{}", b"[[[[", b"\xe2\x80\xae<script>",
)  # fmt: skip
NUMBERS = (b"-1", b"18446744073709551616", b"1e400", b"0.5", b"9" * 400)
PATHS = (
    "", "/runs", "/runs", "/runs", "/runs/{}", "/traces", "/traces/{}", "/threads/{}", "/sessions/{}", "/stats", "/export", "/{}",
)  # fmt: skip


class Mutator:
    """Good bodies, broken in one or several ways. The same for the same seed."""

    def __init__(self, seed: int) -> None:
        from runspan.viewer.store import Store, rows
        from runspan.viewer.web import otlp_json

        self._random = random.Random(seed)
        body, self.ids = Traffic(seed).export(2)
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "t.db") as store:
            store.add(rows.traces(body, PROTOBUF)).result()
            self._good = {PROTOBUF: body, JSON: otlp_json.export(store.packed(self.ids[0])) or b""}

    def next(self) -> tuple[bytes, dict[str, str]]:
        """(body, headers)."""
        rnd = self._random
        kind = rnd.choice((PROTOBUF, JSON))
        body = self._good[kind]
        for _ in range(rnd.choice((0, 1, 1, 1, 2, 3, 8))):
            body = self._broken(body)
        headers, packing = {"Content-Type": kind if rnd.random() > 0.02 else rnd.choice(KINDS)}, rnd.random()
        if packing < 0.15:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, 1)
        elif packing < 0.2:
            headers["Content-Encoding"], body = "deflate", zlib.compress(body, 1)
        elif packing < 0.25:
            headers["Content-Encoding"] = rnd.choice(("gzip", "br", "zstd", "x" * 50))
        elif packing < 0.255:
            headers["Content-Encoding"], body = "gzip", gzip.compress(b"\0" * 30_000_000, 1)
        if "Content-Encoding" in headers and rnd.random() < 0.2:
            body = self._broken(body)
        return body, headers

    def _broken(self, body: bytes) -> bytes:
        """Once, in one of eight ways."""
        rnd = self._random
        a, b = sorted(rnd.randrange(len(body) + 1) for _ in range(2))
        match rnd.randrange(8):
            case 0:
                made = bytearray(body or b"\0")
                for _ in range(rnd.choice((1, 1, 4, 64))):
                    made[rnd.randrange(len(made))] = rnd.randrange(256)
                return bytes(made)
            case 1:
                return body[:a]
            case 2:
                return body[:a] + body[a : a + rnd.randrange(200)] * rnd.choice((2, 3, 50)) + body[a:]
            case 3:
                return body[:a] + rnd.choice(ODD_BYTES) + body[a:]
            case 4:  # where a number stands: lengths in protobuf, any number in JSON
                at = body.find(b"17", a)
                return body if at < 0 else body[:at] + rnd.choice(NUMBERS) + body[at + 2 :]
            case 5:
                return body[b:] + body[a:b] + body[:a]
            case 6:
                depth = rnd.choice((10, 90, 150, 5_000))
                value: bytes = b'{"arrayValue":{"values":[' * depth + b"]}}" * depth
                return b'{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":' + value + b"}]}}]}"
        return rnd.randbytes(rnd.choice((0, 1, 7, 300)))

    def request(self) -> tuple[str, str, bytes]:
        """(method, path, body) of a request to the JSON API, with parts of real ones in it."""
        rnd = self._random
        name = quote(rnd.choice((*ODD, *self.ids, f"{self.ids[0]}.{'0' * 16}", f"{self.ids[0]}.x")), safe="")
        pairs = [
            f"{rnd.choice(PARAMETERS)}={quote(rnd.choice(ODD))}" for _ in range(rnd.choice((0, 1, 1, 2, 5)))
        ]
        query = f"?{'&'.join(pairs)}" if pairs else ""
        chance = rnd.random()
        if chance < 0.15:
            return "POST", "/import", self.next()[0]
        if chance < 0.2:
            return "POST", f"/traces/{name}/{rnd.choice(('keep', 'release', 'x', ''))}", b""
        if chance < 0.25:
            return "DELETE", f"/traces/{name}", b""
        if chance < 0.252:
            return "DELETE", f"/runs{query}", b""
        return "GET", rnd.choice(PATHS).format(name) + query, b""
