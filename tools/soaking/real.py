"""A busy app in real time: threads and tasks that play every turn over and over, the fake and the receiver in other processes.

One thread more polls a long run, each second poll past runspan: both kinds meet the same machine, so the share of one in the other
is what runspan does to them, whatever else runs there.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import runspan
from benches.door import Door, question
from processes import ROOT, fake, serving
from runspan import guard
from runspan.runtime.emitter import suppressed
from runspan.setup import Handle
from soaking.samples import HELD, Bound, Times, accounts, flat, sample
from table import Row

sys.path.insert(0, str(ROOT))
from tests.support.playing import App, client_of, drive

from soaking.turns import ASYNC_TURNS, TOOLS, TURNS, asked

THREADS, TASKS, PAUSE_S = 3, 6, 0.15
PROBE_S = 0.02  # between two polls of the one that is timed
REMEMBERED = 20_000  # ended runs; each keeps its key that long, so before that memory must grow
LEAST_SAMPLES = 6
LIFE_MIN = 11  # of a run that the app forgets: from then on as many go as come
BOUNDS = (
    *HELD,
    Bound("p50 of a poll : past runspan", lambda s: s.p50, 10),
    Bound("p99 of a poll : past runspan", lambda s: s.p99, 30),
)


class Busy:
    """The app. `asked` counts the runs that it asked for."""

    def __init__(self, base_url: str) -> None:
        self.is_over = threading.Event()
        self.polls, self.bare = Times(), Times()
        self.counts: list[int] = []  # of each turn; appending is atomic
        self.failures: list[str] = []
        self._server: Any = SimpleNamespace(base_url=base_url)
        with client_of("OpenAI", self._server) as client:
            self._assistant_id = client.beta.assistants.create(model="gpt-4o", name="Tutor", tools=TOOLS).id
        jobs = [*[self._sync] * THREADS, self._loop, self._probe]
        threading.excepthook = lambda args: self.failures.append(
            f"{args.exc_type.__name__}: {args.exc_value}"
        )
        self._threads = [threading.Thread(target=job) for job in jobs]
        for thread in self._threads:
            thread.start()

    @property
    def asked(self) -> int:
        return sum(self.counts)

    def stop(self) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()

    def _app(self, kind: str) -> App:
        return App(kind, client_of(kind, self._server), self._server, self._assistant_id)

    def _sync(self) -> None:
        app = self._app("OpenAI")
        with app.client:
            for number, turn in enumerate(itertools.cycle(TURNS)):
                if self.is_over.wait(PAUSE_S):
                    return
                with runspan.context(session_id=f"session {number}"), runspan.span(turn.__name__):
                    self.counts.append(drive(turn(app), is_async=False))

    def _loop(self) -> None:
        async def task(app: App) -> None:
            for number, turn in enumerate(itertools.cycle(TURNS + ASYNC_TURNS)):
                if self.is_over.is_set():
                    return
                with runspan.context(session_id=f"session {number}"), runspan.span(turn.__name__):
                    self.counts.append(await turn(app))
                await asyncio.sleep(PAUSE_S)

        async def main() -> None:
            app = self._app("AsyncOpenAI")
            async with app.client:
                await asyncio.gather(*(task(app) for _ in range(TASKS)))

        asyncio.run(main())

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


def rows() -> Iterator[Row]:
    minutes = float(os.environ.get("MINUTES", "20"))
    count = max(LEAST_SAMPLES, round(minutes))
    with fake() as base_url, serving("-m", "soaking.sink") as (_, sink):
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ["OTEL_METRICS_EXPORTER"] = sink, "none"
        handle = runspan.instrument(exit_timeout_s=60.0)
        _fill(handle, before := min(REMEMBERED, int(minutes * REMEMBERED)))
        busy, began, samples = Busy(base_url), time.monotonic(), []
        guard.add_hook(lambda site, error: busy.failures.append(f"{site}: {error!r}"))
        for number in range(1, count + 1):
            at = number * minutes / count
            busy.is_over.wait(max(0.0, began + at * 60 - time.monotonic()))
            p50, p99 = (
                ours / (bare or 1.0) for ours, bare in zip(busy.polls.take(), busy.bare.take(), strict=True)
            )
            samples.append(sample(f"{at:.1f} min", busy.asked, p50, p99))
        alive = handle.stats().live
        busy.stop()
        is_out = runspan.flush(60)
        runspan.uninstrument()
        with urllib.request.urlopen(sink, timeout=10) as response:
            arrived = int(response.read())
    lived = samples[int(LIFE_MIN * count / minutes) :]
    yield from flat(lived if len(lived) >= LEAST_SAMPLES else samples, BOUNDS)
    yield from accounts(handle.stats(), before + busy.asked, arrived, alive, busy.failures)
    yield Row("flushes not done", not is_out, "", 0)


def _fill(handle: Handle, runs: int) -> None:
    """So many runs at the door, without a client: what remembers runs is full when the clock starts."""
    door = Door(handle=handle)
    for number in range(runs):
        for record in door.whole_run(number, question(number)):
            door.put(record)
        if number % 500 == 0:
            handle.flush(30)
