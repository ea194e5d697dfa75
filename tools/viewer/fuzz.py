"""`make fuzz-viewer`: broken bodies and odd requests against a running viewer, which must answer each in the door's own form
and not grow. Of ten, six go to OTLP over HTTP, two to OTLP over gRPC, two to the JSON API.

python tools/viewer/fuzz.py [REQUESTS] [SEED]
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import grpc  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from runspan.viewer.otlp_answers import RPC_CODES
from viewer.broken import Mutator
from viewer.served import Served, served

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
