"""A busy app in real time: threads and tasks that play every turn over and over, the fake and the receiver in other processes.

One thread more polls a long run, each second poll past runspan: both kinds meet the same machine, so the share of one in the other
is what runspan does to them, whatever else runs there.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import runspan
from benches.door import Door, question
from benches.table import Row
from runspan import guard
from runspan.runtime.emitter import suppressed
from runspan.setup import Handle
from soaking.samples import HELD, Bound, Sample, Times, draw_samples, flat, sample

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.support.playing import App, client_of, drive  # noqa: E402

from soaking.turns import ASYNC_TURNS, TURNS, Turn, asked  # noqa: E402

THREADS, TASKS, PAUSE_S = 3, 6, 0.15
PROBE_S = 0.02  # between two polls of the one that is timed
REMEMBERED = 20_000  # ended runs; each keeps its key that long, so before that memory must grow
LEAST_SAMPLES = 6
LIFE_MIN = 11  # of a run that the app forgets: from then on as many go as come
BOUNDS = (
    *HELD,
    Bound("p50 of a poll : past runspan", lambda s: s.added_p50, 10),
    Bound("p99 of a poll : past runspan", lambda s: s.added_p99, 30),
)
OF_RUNS = ("error", "outbox_full")  # causes; the others count records and spans


class Busy:
    """The app. `asked` counts the runs that it asked for."""

    def __init__(self, base_url: str) -> None:
        self.is_over = threading.Event()
        self.polls, self.bare = Times(), Times()
        self.counts: list[int] = []  # of each turn; appending is atomic
        self.failures: list[str] = []
        self._address = Address(base_url)
        with client_of("OpenAI", self._address) as client:  # type: ignore[arg-type]
            self._assistant_id = client.beta.assistants.create(model="gpt-4o", name="Tutor", tools=TOOLS).id
        jobs = [*[self._sync] * THREADS, self._loop, self._probe]
        self._threads = [threading.Thread(target=self._guarded, args=(job,)) for job in jobs]
        for thread in self._threads:
            thread.start()

    @property
    def asked(self) -> int:
        return sum(self.counts)

    def stop(self) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()

    def _guarded(self, job: Any) -> None:
        try:
            job()
        except BaseException as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            raise

    def _app(self, kind: str) -> App:
        return App(kind, client_of(kind, self._address), self._address, self._assistant_id)  # type: ignore[arg-type]

    def _sync(self) -> None:
        app = self._app("OpenAI")
        with app.client:
            for number, turn in enumerate(itertools.cycle(TURNS)):
                if self.is_over.wait(PAUSE_S):
                    return
                with self._around(turn, number):
                    self.counts.append(drive(turn(app), is_async=False))

    def _loop(self) -> None:
        async def task(app: App, turns: Iterator[Turn]) -> None:
            for number, turn in enumerate(turns):
                if self.is_over.is_set():
                    return
                with self._around(turn, number):
                    self.counts.append(await turn(app))
                await asyncio.sleep(PAUSE_S)

        async def main() -> None:
            app = self._app("AsyncOpenAI")
            async with app.client:
                await asyncio.gather(*(task(app, itertools.cycle(TURNS + ASYNC_TURNS)) for _ in range(TASKS)))

        asyncio.run(main())

    @contextmanager
    def _around(self, turn: Turn, number: int) -> Iterator[None]:
        with runspan.context(session_id=f"session {number}"), runspan.span(turn.__name__):
            yield

    def _probe(self) -> None:
        app = self._app("OpenAI")
        with app.client:
            while not self.is_over.is_set():
                run = app.threads.create_and_run(**asked(app, "slow"))
                self.counts.append(1)
                while run.status in ("queued", "in_progress") and not self.is_over.wait(PROBE_S):
                    run = self._timed(app.runs, run, self.polls)
                    with suppressed():
                        self._timed(app.runs, run, self.bare)

    def _timed(self, runs: Any, run: Any, times: Times) -> Any:
        before = time.perf_counter()
        seen = runs.retrieve(run.id, thread_id=run.thread_id)
        times.add((time.perf_counter() - before) * 1000)
        return seen


class Address:
    """What an `App` wants of its server."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url


TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
    },
    {"type": "code_interpreter"},
    {"type": "file_search"},
]


def soak(minutes: float) -> Iterator[Row]:
    count = max(LEAST_SAMPLES, round(minutes))
    with served("runspan.fake") as fake, served("soaking.sink") as sink:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ["OTEL_METRICS_EXPORTER"] = sink, "none"
        handle = runspan.instrument(exit_timeout_s=60.0)
        _fill(handle, before := min(REMEMBERED, int(minutes * REMEMBERED)))
        busy, began, samples = Busy(fake), time.monotonic(), list[Sample]()
        guard.add_hook(lambda site, error: busy.failures.append(f"{site}: {error!r}"))
        for number in range(1, count + 1):
            at = number * minutes / count
            busy.is_over.wait(max(0.0, began + at * 60 - time.monotonic()))
            samples.append(sample(f"{at:.1f} min", busy.asked, busy.polls, busy.bare))
            print(draw_samples(samples[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
        alive = handle.stats().live
        busy.stop()
        is_out = runspan.flush(60)
        runspan.uninstrument()
        with urllib.request.urlopen(sink, timeout=10) as response:
            arrived = int(response.read())
    print(draw_samples(samples))
    lived = samples[int(LIFE_MIN * count / minutes) :]
    yield from flat(lived if len(lived) >= LEAST_SAMPLES else samples, BOUNDS)
    yield from _accounts(handle.stats(), before + busy.asked, busy.failures, arrived, alive)
    yield Row("flushes not done", not is_out, "", 0)


def _fill(handle: Handle, runs: int) -> None:
    """So many runs at the door, without a client: what remembers runs is full when the clock starts."""
    door = Door(handle=handle)
    for number in range(runs):
        for record in door.whole_run(number, question(number)):
            door.put(record)
        if number % 500 == 0:
            handle.flush(30)


def _accounts(stats: Any, asked: int, failures: list[str], arrived: int, alive: int) -> Iterator[Row]:
    dropped = sum(stats.dropped.get(cause, 0) for cause in OF_RUNS)
    out = stats.emitted + stats.unfinished
    note = (
        f"{stats.emitted:,} emitted + {stats.unfinished:,} unfinished + {stats.handed_off:,} handed off + {dropped:,} dropped"
        f" + {stats.live:,} live of {stats.started:,}; {alive:,} were alive at the end"
    )
    yield Row(
        "runs not accounted for",
        abs(stats.started - out - stats.handed_off - dropped - stats.live),
        "",
        0,
        note=note,
    )
    yield Row(
        "runs asked for and not seen",
        abs(asked - stats.started),
        "",
        0,
        note=f"{asked:,} asked for",
    )
    yield Row(
        "run spans missing at the receiver",
        abs(out - arrived),
        "",
        0,
        note=f"{arrived:,} arrived; {dict(stats.dropped)}",
    )
    note = f"{failures or 'none'}; fetches {dict(stats.fetches)}"
    yield Row(
        "errors of our own, and turns that failed",
        len(failures),
        "",
        0,
        note=note,
    )


@contextmanager
def served(module: str) -> Iterator[str]:
    """The address of a server in a process of its own, which it prints first."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "tools")))
    command, env = [sys.executable, "-m", module], {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
