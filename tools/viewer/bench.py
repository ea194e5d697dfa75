"""`make bench-viewer`: a store of 100,000 runs (1,000,000 spans) through the front door, and what it is like to use.

    python tools/viewer/bench.py [RUNS [DB]]

The viewer runs in a process of its own; one sender posts 500 spans at a time and waits for each acknowledgement. A DB that is
there already is measured as it is, and changed.
"""

from __future__ import annotations

import html
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benches.table import Row, draw
from viewer.traffic import SPANS_PER_RUN, Traffic

RUNS_AT_ONCE = 50
LONG_TRACE = 100_000  # spans
SERVE = """
import sys, threading
from runspan.viewer import serve
with serve(port=int(sys.argv[2]), db=sys.argv[1]) as viewer:
    print(viewer.port, flush=True)
    threading.Event().wait()
"""


class Server:
    """A viewer in a process of its own."""

    def __init__(self, db: Path) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(db), "0"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.get("/")
        self.started_s = time.perf_counter() - began

    def get(self, path: str) -> float:
        """Milliseconds until the whole page was there."""
        began = time.perf_counter()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        self.body = answer.read()
        assert answer.status == 200, (path, answer.status)
        return (time.perf_counter() - began) * 1e3

    def post(self, body: bytes) -> float:
        """Seconds until the acknowledgement."""
        began = time.perf_counter()
        self._connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        return time.perf_counter() - began

    def memory_mb(self, field: str = "VmRSS") -> float:
        """RssAnon leaves out the pages of the file that are mapped and can be given back at any time."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":")) / 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self, how: int = signal.SIGTERM) -> None:
        self._connection.close()
        self.process.send_signal(how)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


def main(arguments: list[str]) -> int:
    runs = int(arguments[0]) if arguments else 100_000
    with tempfile.TemporaryDirectory(prefix="runspan-bench-") as folder:
        rows = []
        db = Path(arguments[1]) if arguments[1:] else Path(folder) / "traces.db"
        for row in _rows(db, runs):
            print(f"  {row.what}: {row.value:,.1f} {row.unit}", file=sys.stderr, flush=True)
            rows.append(row)
    print(draw(rows))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{runs:,} runs, {runs * SPANS_PER_RUN:,} spans; {os.cpu_count()} cores, load {load}")
    return 1 if any(not row.is_held for row in rows) else 0


def _rows(db: Path, runs: int) -> Iterator[Row]:
    traffic = Traffic(1)
    is_new = not db.exists()
    server = Server(db)
    try:
        if is_new:
            yield from _ingest(server, traffic, runs)
        yield from _pages(server, traffic)
        yield from _long_trace(server, traffic)
        yield Row("memory of the viewer's own", server.memory_mb("RssAnon"), "MB", 400)
        yield Row("memory with the mapped file", server.memory_mb(), "MB", 2_000)
        size = sum(path.stat().st_size for path in db.parent.glob(f"{db.name}*"))
        yield Row("store on disk, a span", size / (runs * SPANS_PER_RUN + LONG_TRACE), "bytes", 2_000)
        yield Row("store on disk", size / 2**20, "MB", 2_048)
    finally:
        server.end()
    server = Server(db)
    yield Row("restart to the first page", server.started_s, "s", 1.0)
    yield _killed(server, db, traffic)


def _ingest(server: Server, traffic: Traffic, runs: int) -> Iterator[Row]:
    waited, cpu_s = 0.0, server.cpu_s()
    for _ in range(runs // RUNS_AT_ONCE):
        body, _ids = traffic.export(RUNS_AT_ONCE)
        waited += server.post(body)
    spans = runs * SPANS_PER_RUN
    yield Row("ingest", spans / waited, "spans/s", 6_000, at_least=True)
    yield Row("CPU of the viewer, a span", (server.cpu_s() - cpu_s) / spans * 1e6, "us", 330)


def _pages(server: Server, traffic: Traffic) -> Iterator[Row]:
    rnd = random.Random(2)
    common, rare = traffic.words[:40], traffic.words[2_000:]
    filters = [
        "/", "/?page=2", "/?page=200", "/?status=failed", "/?name=Assistant%207", "/?model=gpt-4o&status=completed",
        "/?sort=duration", "/?sort=tokens&order=asc", "/?sort=cost&status=expired", "/?sort=queue&name=Assistant%203",
        "/?user=user-77", "/?since=7d", "/?sort=cost&page=40",
    ]  # fmt: skip
    searches = [f"/?q={quote(rnd.choice(rare))}" for _ in range(30)]
    searches += [f"/?q={quote(rnd.choice(common))}" for _ in range(30)]
    searches += [f"/?q={quote(' '.join(rnd.choices(common, k=2)))}&status=completed" for _ in range(20)]
    searches += [f"/?q={quote(rnd.choice(rare)[:4])}&sort=cost" for _ in range(20)]
    yield from _timed("runs page", server, filters * 8, 150)
    yield from _timed("text search", server, searches, 150)
    (body,), long_id = traffic.long_trace(1_000)
    server.post(body)
    yield from _timed("trace of 1,000 spans", server, [f"/trace/{long_id}"] * 30, 300)
    yield from _timed("traces, threads, sessions", server, ["/traces", "/threads", "/sessions"] * 10, 300)
    server.get("/threads")
    talks = [html.unescape(link) for link in re.findall(r'/thread\?id=[^"]+', server.body.decode())]
    yield from _timed("a thread", server, talks[:20], 300)


def _long_trace(server: Server, traffic: Traffic) -> Iterator[Row]:
    """One trace that grows: its last spans cost what its first ones did, and it is there whole."""
    bodies, trace = traffic.long_trace(LONG_TRACE, 500)
    began, tenth = server.cpu_s(), len(bodies) // 10
    waited, cpu = 0.0, []
    for body in bodies:
        waited += server.post(body)
        cpu.append(server.cpu_s())
    first, last = cpu[tenth - 1] - began, cpu[-1] - cpu[-tenth - 1]
    yield Row("ingest into one long trace", LONG_TRACE / waited, "spans/s", 6_000, at_least=True)
    yield Row("its last tenth against its first, CPU", last / first, "x", 2)
    pages = [
        f"/trace/{trace}",
        f"/trace/{trace}?rows={LONG_TRACE // 2_000}",
        f"/trace/{trace}?rows={LONG_TRACE // 1_000}",
    ]
    yield from _timed(f"page of a trace of {LONG_TRACE:,} spans", server, pages * 7, 2_500)
    server.get(f"/trace/{trace}/otlp.json")
    yield Row("spans in its download", server.body.count(b'"spanId"'), "", LONG_TRACE, at_least=True)


def _timed(what: str, server: Server, paths: list[str], budget_ms: float) -> Iterator[Row]:
    """The slowest of twenty by the clock, and the processor's time for one: on a busy machine they are far apart."""
    for path in dict.fromkeys(paths[:5]):
        server.get(path)
    cpu_s = server.cpu_s()
    waited = sorted(map(server.get, paths))
    cpu_ms = (server.cpu_s() - cpu_s) / len(paths) * 1e3
    yield Row(f"{what}, p95", quantiles(waited, n=20)[-1], "ms", budget_ms, note=f"CPU {cpu_ms:.0f} ms")


def _killed(server: Server, db: Path, traffic: Traffic) -> Row:
    """Spans that were acknowledged and are gone after SIGKILL in the middle of a post."""
    acknowledged: list[str] = []
    for _ in range(20):
        body, ids = traffic.export(RUNS_AT_ONCE)
        server.post(body)
        acknowledged += ids
    body, _ids = traffic.export(RUNS_AT_ONCE * 4)
    server._connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
    time.sleep(0.05)
    server.end(signal.SIGKILL)
    from runspan.viewer import Store

    with Store(db) as store:
        assert store.select("PRAGMA quick_check") == [("ok",)]
        lost = sum(SPANS_PER_RUN - len(store.spans(trace)) for trace in acknowledged)
    return Row("acknowledged spans lost by SIGKILL", lost, "", 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
