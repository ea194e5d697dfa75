"""`make bench-viewer`: a store of 100,000 runs (1,000,000 spans) through the front door, and what it is like to use.

The viewer runs in a process of its own; one sender posts 500 spans at a time and waits for each acknowledgement.
"""

from __future__ import annotations

import html
import os
import random
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from urllib.parse import quote

from table import Row
from viewer.served import Served, served
from viewer.traffic import PROTOBUF, SPANS_PER_RUN, Traffic

RUNS_AT_ONCE = 50
LONG_TRACE = 100_000  # spans


def rows() -> Iterator[Row]:
    runs = int(os.environ.get("RUNS", "100000"))
    with tempfile.TemporaryDirectory(prefix="runspan-bench-") as folder:
        yield from _rows(Path(folder) / "traces.db", runs)


def _rows(db: Path, runs: int) -> Iterator[Row]:
    traffic = Traffic(1)
    with served(db) as viewer:
        viewer.get("/")
        yield from _ingest(viewer, traffic, runs)
        yield from _pages(viewer, traffic)
        yield from _long_trace(viewer, traffic)
        yield Row("memory of the viewer's own", viewer.memory_mb(), "MB", 400)
        yield Row("memory with the mapped file", viewer.memory_mb("VmRSS"), "MB", 2_000)
        size = sum(path.stat().st_size for path in db.parent.glob(f"{db.name}*"))
        yield Row("store on disk, a span", size / (runs * SPANS_PER_RUN + LONG_TRACE), "bytes", 2_000)
        yield Row("store on disk", size / 2**20, "MB", 2_048)
    began = time.perf_counter()
    with served(db) as viewer:
        viewer.get("/")
        yield Row("restart to the first page", time.perf_counter() - began, "s", 1.0)
        acknowledged = _killed(viewer, traffic)
    yield Row("acknowledged spans lost by SIGKILL", _lost(db, acknowledged), "", 0)


def _post(viewer: Served, body: bytes) -> float:
    """Seconds until the acknowledgement."""
    began = time.perf_counter()
    answer = viewer.ask("POST", "/v1/traces", body, **{"Content-Type": PROTOBUF})
    answer.read()
    assert answer.status == 200, answer.status
    return time.perf_counter() - began


def _cpu_s(viewer: Served) -> float:
    fields = Path(f"/proc/{viewer.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ingest(viewer: Served, traffic: Traffic, runs: int) -> Iterator[Row]:
    cpu_s = _cpu_s(viewer)
    waited = sum(_post(viewer, traffic.export(RUNS_AT_ONCE)[0]) for _ in range(runs // RUNS_AT_ONCE))
    spans = runs * SPANS_PER_RUN
    yield Row("ingest", spans / waited, "spans/s", 6_000, at_least=True)
    yield Row("CPU of the viewer, a span", (_cpu_s(viewer) - cpu_s) / spans * 1e6, "us", 330)


def _pages(viewer: Served, traffic: Traffic) -> Iterator[Row]:
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
    yield _timed("runs page", viewer, filters * 8, 150)
    yield _timed("text search", viewer, searches, 150)
    (body,), long_id = traffic.long_trace(1_000)
    _post(viewer, body)
    yield _timed("trace of 1,000 spans", viewer, [f"/trace/{long_id}"] * 30, 300)
    yield _timed("traces, threads, sessions", viewer, ["/traces", "/threads", "/sessions"] * 10, 300)
    links = re.findall(r'/thread\?id=[^"]+', viewer.get("/threads").decode())
    yield _timed("a thread", viewer, [html.unescape(link) for link in links[:20]], 300)


def _long_trace(viewer: Served, traffic: Traffic) -> Iterator[Row]:
    """One trace that grows: its last spans cost what its first ones did, and it is there whole."""
    bodies, trace = traffic.long_trace(LONG_TRACE, 500)
    tenth, waited, cpu_s = len(bodies) // 10, 0.0, [_cpu_s(viewer)]
    for body in bodies:
        waited += _post(viewer, body)
        cpu_s.append(_cpu_s(viewer))
    yield Row("ingest into one long trace", LONG_TRACE / waited, "spans/s", 6_000, at_least=True)
    ratio = (cpu_s[-1] - cpu_s[-tenth - 1]) / (cpu_s[tenth] - cpu_s[0])
    yield Row("its last tenth against its first, CPU", ratio, "x", 2)
    page = f"/trace/{trace}"
    pages = [page, f"{page}?rows={LONG_TRACE // 2_000}", f"{page}?rows={LONG_TRACE // 1_000}"]
    yield _timed(f"page of a trace of {LONG_TRACE:,} spans", viewer, pages * 7, 2_500)
    spans = viewer.get(f"{page}/otlp.json").count(b'"spanId"')
    yield Row("spans in its download", spans, "", LONG_TRACE, at_least=True)


def _timed(what: str, viewer: Served, paths: list[str], budget_ms: float) -> Row:
    """The slowest of twenty by the clock, and the processor's time for one: on a busy machine they are far apart."""
    for path in dict.fromkeys(paths[:5]):
        viewer.get(path)
    cpu_s, waited = _cpu_s(viewer), []
    for path in paths:
        began = time.perf_counter()
        viewer.get(path)
        waited.append((time.perf_counter() - began) * 1e3)
    cpu_ms = (_cpu_s(viewer) - cpu_s) / len(paths) * 1e3
    return Row(f"{what}, p95", quantiles(waited, n=20)[-1], "ms", budget_ms, note=f"CPU {cpu_ms:.0f} ms")


def _killed(viewer: Served, traffic: Traffic) -> list[str]:
    """Traces that were acknowledged before SIGKILL in the middle of a post."""
    acknowledged: list[str] = []
    for _ in range(20):
        body, ids = traffic.export(RUNS_AT_ONCE)
        _post(viewer, body)
        acknowledged += ids
    body, _ = traffic.export(RUNS_AT_ONCE * 4)
    viewer.connection.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
    time.sleep(0.05)
    viewer.process.kill()
    return acknowledged


def _lost(db: Path, acknowledged: list[str]) -> int:
    from runspan.viewer import Store

    with Store(db) as store:
        assert store.select("PRAGMA quick_check") == [("ok",)]
        return sum(SPANS_PER_RUN - len(store.spans(trace)) for trace in acknowledged)
