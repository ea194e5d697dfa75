"""`make fuzz-viewer`: broken bodies and odd requests against a running viewer, which must answer each in the door's own form
and not grow. Of ten, six go to OTLP over HTTP, two to OTLP over gRPC, two to the JSON API.

python tools/viewer/fuzz.py [REQUESTS] [SEED]
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import re
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import grpc  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from runspan.viewer.otlp_answers import RPC_CODES
from viewer.served import Served, served
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
API_PATHS = (
    "", "/runs", "/runs", "/runs", "/runs/{}", "/traces", "/traces/{}", "/threads/{}", "/sessions/{}", "/stats", "/export", "/{}",
)  # fmt: skip
PATHS = ("/v1/traces", "/v1/traces", "/v1/traces", "/v1/logs", "/v1/metrics")
SERVICE = "/opentelemetry.proto.collector.{}.v1.{}Service/Export"
SERVICES = tuple(SERVICE.format(name.lower(), name) for name in ("Trace", "Trace", "Logs", "Metrics"))
EXPECTED = {
    "http": {"200", "400", "413", "415"},
    "grpc": {"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"},
    "api": {"200", "307", "400", "404", "405", "413", "414"},
}
MAX_BODY, MAX_DECODED = 2**20, 2**22
MAX_GROWTH_MB = 60  # of the viewer's own memory, once it is warm


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
        return "GET", rnd.choice(API_PATHS).format(name) + query, b""


class Doors:
    """The three ways in. Each method gives (status, what is wrong with the answer)."""

    def __init__(self, viewer: Served) -> None:
        self._viewer = viewer
        self._grpc = grpc.insecure_channel(f"127.0.0.1:{viewer.grpc_port}")

    def http(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[str, str]:
        status, said, kind = self._ask("POST", path, body, headers)
        if (
            status == "200"
            or "json" not in kind
            or json.loads(said).get("code") == RPC_CODES.get(int(status), 2)
        ):
            return status, ""
        return status, f"without OTLP's own error: {said[:200]!r}"

    def grpc(self, path: str, body: bytes) -> tuple[str, str]:
        how = (None, grpc.Compression.Gzip, grpc.Compression.Deflate)[len(body) % 3]
        try:
            answer = self._grpc.unary_unary(path)(body, timeout=60, compression=how)
        except grpc.RpcError as error:
            return error.code().name, "" if error.details() else "without a word"
        return "OK", f"an answer of {len(answer)} bytes" if answer else ""

    def api(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        status, said, kind = self._ask(method, f"/api/v1{path}", body, {})
        if status != "200" and (status in ("405", "414") or not said or "html" in kind):
            return status, ""
        try:
            answers = [_parsed(one) for one in (said.splitlines() if "jsonl" in kind else [said])]
        except ValueError as error:
            return status, f"{error}: {said[:200]!r}"
        is_ours = status == "200" or answers[0].keys() == {"error"}
        return status, "" if is_ours else f"without an error: {said[:200]!r}"

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[str, bytes, str]:
        connection = self._viewer.connection
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return str(answer.status), answer.read(), answer.headers.get("Content-Type") or ""
        except (OSError, http.client.HTTPException) as error:
            # A refused body that was not read to its end ends the connection, perhaps before we have sent it all.
            connection.close()
            return ("413", b"", "") if len(body) > MAX_BODY else (repr(error), b"", "")


def _parsed(text: bytes) -> dict[str, object]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    found: dict[str, object] = json.loads(text, parse_constant=refuse)
    return found


def main(arguments: list[str]) -> int:
    requests, seed = (int(value) for value in (*arguments, *("20000", "1")[len(arguments) :]))
    with (
        tempfile.TemporaryDirectory(prefix="runspan-fuzz-") as folder,
        served(Path(folder) / "traces.db", MAX_BODY, MAX_DECODED) as viewer,
    ):
        return _fuzz(viewer, requests, seed)


def _fuzz(viewer: Served, requests: int, seed: int) -> int:
    mutator, doors = Mutator(seed), Doors(viewer)
    statuses: Counter[tuple[str, str]] = Counter()
    faults: list[str] = []
    warm_mb = 0.0
    for n in range(requests):
        door = ("http", "http", "http", "grpc", "api")[n % 5]
        if door == "api":
            method, what, body = mutator.request()
            status, fault = doors.api(method, what, body)
        else:
            body, headers = mutator.next()
            what = PATHS[n // 5 % 5] if door == "http" else SERVICES[n // 5 % 4]
            status, fault = doors.http(what, body, headers) if door == "http" else doors.grpc(what, body)
        statuses[door, status] += 1
        if fault or status not in EXPECTED[door]:
            faults.append(f"{n} of seed {seed}, {door} {what}: {status} {fault}")
        if n == requests // 4:
            warm_mb = viewer.memory_mb()
    grown_mb = viewer.memory_mb() - warm_mb
    listed = b"".join(viewer.get(f"/traces?page={page}") for page in range(1, 6)).decode()
    links = list(dict.fromkeys(re.findall(r"/trace/[0-9a-f]{32}", listed)))[:200]
    for path in ("/", "/overview", "/traces", "/threads", "/sessions", *links):
        answer = viewer.ask("GET", path)
        answer.read()
        if answer.status != 200:
            faults.append(f"{path}: HTTP {answer.status}")
    if viewer.process.poll() is not None:
        faults.append(f"the viewer ended with {viewer.process.returncode}")
    if grown_mb > MAX_GROWTH_MB:
        faults.append(f"the viewer grew by {grown_mb:.0f} MB")
    for door in EXPECTED:
        counts = (f"{count:,} x {status}" for (of, status), count in sorted(statuses.items()) if of == door)
        print(f"{door:5} {', '.join(counts)}")
    memory = f"memory after a quarter of it and at the end: {grown_mb:+.1f} MB"
    print(f"{requests:,} requests, seed {seed}; pages of what was taken: {len(links)}; {memory}")
    print("\n".join(faults[:20]) or "no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
