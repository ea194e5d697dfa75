"""`make fuzz-viewer`: broken bodies and odd requests against a running viewer, which must answer each in the door's own form
and not grow. Of ten, six go to OTLP over HTTP, two to OTLP over gRPC, two to the JSON API.

python tools/viewer/fuzz.py [REQUESTS] [SEED]
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from runspan.viewer.otlp_answers import RPC_CODES
from viewer.broken import PROTOBUF, Mutator

PATHS = ("/v1/traces", "/v1/traces", "/v1/traces", "/v1/logs", "/v1/metrics")
SERVICES = tuple(
    f"/opentelemetry.proto.collector.{n.lower()}.v1.{n}Service/Export"
    for n in ("Trace", "Trace", "Logs", "Metrics")
)
EXPECTED: Mapping[str, frozenset[str]] = {
    "http": frozenset({"200", "400", "413", "415"}),
    "grpc": frozenset({"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}),
    "api": frozenset({"200", "307", "400", "404", "405", "413", "414"}),
}
MAX_BODY = 2**20
MAX_GROWTH_MB = 60  # of the viewer's own memory, once it is warm
SERVE = """
import sys, threading
from runspan.viewer import Limits, serve
with serve(port=0, db=sys.argv[1], limits=Limits(request_bytes=2**20, decoded_bytes=2**22), grpc_port=0) as viewer:
    print(viewer.port, viewer.grpc_endpoint.rpartition(":")[2], flush=True)
    threading.Event().wait()
"""


class Doors:
    """The three ways in. Each method gives (status, what is wrong with the answer)."""

    def __init__(self, port: int, grpc_port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._grpc = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")

    def http(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[str, str]:
        status, said, kind = self._ask("POST", path, body, headers)
        is_ours = (
            status == "200"
            or "json" not in kind
            or json.loads(said).get("code") == RPC_CODES.get(int(status), 2)
        )
        return status, "" if is_ours else f"without OTLP's own error: {said[:200]!r}"

    def grpc(self, path: str, body: bytes) -> tuple[str, str]:
        how = (None, grpc.Compression.Gzip, grpc.Compression.Deflate)[len(body) % 3]
        try:
            answer = self._grpc.unary_unary(path)(body, timeout=60, compression=how)
        except grpc.RpcError as error:
            return error.code().name, "" if error.details() else "without a word"
        return "OK", f"an answer of {len(answer)} bytes" if answer else ""

    def api(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        status, said, kind = self._ask(method, f"/api/v1{path}", body, {})
        if status == "200":
            lines = said.splitlines() if "jsonl" in kind else [said]
            return status, "".join(filter(None, map(_fault_of_json, lines)))
        if status in ("405", "414") or not said or "html" in kind:
            return status, ""
        fault = _fault_of_json(said) or (
            "" if json.loads(said).keys() == {"error"} else f"without an error: {said[:200]!r}"
        )
        return status, fault

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[str, bytes, str]:
        try:
            self._http.request(method, path, body, headers)
            answer = self._http.getresponse()
            return str(answer.status), answer.read(), answer.headers.get("Content-Type") or ""
        except (OSError, http.client.HTTPException) as error:
            # A refused body that was not read to its end ends the connection, perhaps before we have sent it all.
            self._http.close()
            return ("413", b"", "") if len(body) > MAX_BODY else (repr(error), b"", "")


def _fault_of_json(text: bytes) -> str:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError as error:
        return f"{error}: {text[:200]!r}"
    return ""


def main(arguments: list[str]) -> int:
    requests, seed = (int(value) for value in (*arguments, *("20000", "1")[len(arguments) :]))
    with _viewer() as (viewer, port, grpc_port):
        return _fuzz(viewer, Doors(port, grpc_port), port, requests, seed)


@contextmanager
def _viewer() -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    with tempfile.TemporaryDirectory(prefix="runspan-fuzz-") as folder:
        command = [sys.executable, "-c", SERVE, str(Path(folder) / "traces.db")]
        viewer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert viewer.stdout is not None
        try:
            port, grpc_port = map(int, viewer.stdout.readline().split())
            yield viewer, port, grpc_port
        finally:
            viewer.kill()
            viewer.wait()


def _fuzz(viewer: subprocess.Popen[str], doors: Doors, port: int, requests: int, seed: int) -> int:
    mutator = Mutator(seed)
    statuses: Counter[tuple[str, str]] = Counter()
    faults: list[str] = []
    warm_mb = 0.0
    for n in range(requests):
        door = ("http", "http", "http", "grpc", "api")[n % 5]
        if door == "api":
            request = mutator.request()
            status, fault = doors.api(*request)
            what = " ".join(request[:2])
        else:
            body, headers = mutator.next()
            what = PATHS[n // 5 % 5]
            if door == "grpc":
                headers = {"Content-Type": PROTOBUF}
                status, fault = doors.grpc(SERVICES[n // 5 % 4], body)
            else:
                status, fault = doors.http(what, body, headers)
        statuses[door, status] += 1
        if fault or status not in EXPECTED[door]:
            faults.append(f"{n} of seed {seed}, {door} {what}: {status} {fault}")
        if n == requests // 4:
            warm_mb = _memory_mb(viewer.pid)
    grown_mb = _memory_mb(viewer.pid) - warm_mb
    pages = {path: _get(port, path)[0] for path in ("/", "/overview", "/traces", "/threads", "/sessions")}
    pages |= {link: _get(port, link)[0] for link in _trace_links(port)}
    faults += [f"{path}: HTTP {status}" for path, status in pages.items() if status != 200]
    if viewer.poll() is not None:
        faults.append(f"the viewer ended with {viewer.returncode}")
    if grown_mb > MAX_GROWTH_MB:
        faults.append(f"the viewer grew by {grown_mb:.0f} MB")
    for door in EXPECTED:
        counts = (f"{count:,} x {status}" for (of, status), count in sorted(statuses.items()) if of == door)
        print(f"{door:5} {', '.join(counts)}")
    print(
        f"{requests:,} requests, seed {seed}; pages of what was taken: {len(pages)};"
        f" memory after a quarter of it and at the end: {grown_mb:+.1f} MB"
    )
    print("\n".join(faults[:20]) or "no fault")
    return 1 if faults else 0


def _get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _trace_links(port: int) -> list[str]:
    found = [
        link
        for page in range(1, 6)
        for link in re.findall(r"/trace/[0-9a-f]{32}", _get(port, f"/traces?page={page}")[1])
    ]
    return list(dict.fromkeys(found))[:200]


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
