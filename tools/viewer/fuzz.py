"""`make fuzz-viewer`: broken bodies against a running viewer, which must answer each in OTLP's own form
and not grow.

python tools/viewer/fuzz.py [BODIES] [SEED]
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from runspan.viewer.otlp_answers import RPC_CODES
from viewer.traffic import Traffic

PROTOBUF, JSON = "application/x-protobuf", "application/json"
EXPECTED = frozenset({200, 400, 413, 415})
MAX_GROWTH_MB = 60  # of the viewer's own memory, once it is warm
SERVE = """
import sys, threading
from runspan.viewer import Limits, serve
with serve(port=0, db=sys.argv[1], limits=Limits(request_bytes=2**20, decoded_bytes=2**22)) as viewer:
    print(viewer.port, flush=True)
    threading.Event().wait()
"""


class Mutator:
    """Good bodies, broken in one or several ways. The same for the same seed."""

    def __init__(self, seed: int) -> None:
        from runspan.viewer.web import otlp_json

        self._random = random.Random(seed)
        body, ids = Traffic(seed).export(2)
        from runspan.viewer.store import Store, rows

        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "t.db") as store:
            store.add(rows.traces(body, PROTOBUF)).result()
            text = otlp_json.export(store.packed(ids[0])) or b""
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


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length, size = bytearray(), len(value)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + value


def main(arguments: list[str]) -> int:
    bodies, seed = (int(value) for value in (*arguments, *("20000", "1")[len(arguments) :]))
    with tempfile.TemporaryDirectory(prefix="runspan-fuzz-") as folder:
        db = Path(folder) / "traces.db"
        viewer = subprocess.Popen([sys.executable, "-c", SERVE, str(db)], stdout=subprocess.PIPE, text=True)
        assert viewer.stdout is not None
        try:
            return _fuzz(int(viewer.stdout.readline()), viewer, bodies, seed)
        finally:
            viewer.kill()
            viewer.wait()


def _fuzz(port: int, viewer: subprocess.Popen[str], bodies: int, seed: int) -> int:
    mutator = Mutator(seed)
    statuses: Counter[int] = Counter()
    faults: list[str] = []
    warm_mb = 0.0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for n in range(bodies):
        body, headers = mutator.next()
        path = ("/v1/traces", "/v1/traces", "/v1/traces", "/v1/logs", "/v1/metrics")[n % 5]
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            status, said, kind = answer.status, answer.read(), answer.headers.get("Content-Type") or ""
        except (OSError, http.client.HTTPException) as error:
            # A refused body that was not read to its end ends the connection, perhaps before we have sent it all.
            connection.close()
            status, said, kind = (413, b"", "") if len(body) > 2**20 else (0, repr(error).encode(), "")
        statuses[status] += 1
        if fault := _fault(status, said, kind):
            faults.append(f"body {n} of seed {seed}: {fault}")
        if n == bodies // 4:
            warm_mb = _memory_mb(viewer.pid)
    grown_mb = _memory_mb(viewer.pid) - warm_mb
    pages = {path: _get(port, path) for path in ("/", "/traces", "/threads", "/sessions")}
    links = _trace_links(port)
    pages |= {link: _get(port, link) for link in links}
    faults += [f"{path}: HTTP {status}" for path, status in pages.items() if status != 200]
    if viewer.poll() is not None:
        faults.append(f"the viewer ended with {viewer.returncode}")
    if grown_mb > MAX_GROWTH_MB:
        faults.append(f"the viewer grew by {grown_mb:.0f} MB")
    print(
        f"{bodies:,} bodies, seed {seed}: "
        + ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items()))
    )
    print(
        f"pages of what was taken: {len(pages)}; memory after a quarter of it and at the end: {grown_mb:+.1f} MB"
    )
    print("\n".join(faults[:20]) or "no fault")
    return 1 if faults else 0


def _fault(status: int, said: bytes, kind: str) -> str:
    if status not in EXPECTED:
        return f"HTTP {status} {said[:200]!r}"
    if status != 200 and "json" in kind and json.loads(said).get("code") != RPC_CODES.get(status, 2):
        return f"HTTP {status} without OTLP's own error: {said[:200]!r}"
    return ""


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _trace_links(port: int) -> list[str]:
    import re

    found: list[str] = []
    for page in range(1, 6):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"/traces?page={page}")
        found += re.findall(r"/trace/[0-9a-f]{32}", connection.getresponse().read().decode())
        connection.close()
    return list(dict.fromkeys(found))[:200]


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
