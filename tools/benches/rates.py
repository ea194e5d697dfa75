"""How much goes through: records at the tracker's door, and calls of the real client with and without runspan."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import openai
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

import runspan
from benches.door import Door, question
from benches.table import Row
from benches.timing import bare_spans, best_us

RUNS, POLLS = 100, 10
THREADS, ROUNDS, SECONDS = 4, 12, 0.5


def rows() -> Iterator[Row]:
    yield _door()
    yield from _client()


def _door() -> Row:
    """Runs of 13 records each: begun, polled ten times, over, listed. One core; no HTTP client in the process."""
    door = Door(SpanProcessor(), simulated=False)
    numbers = iter(range(10**9))
    records = POLLS + 3

    def feed() -> None:
        for number in (next(numbers) for _ in range(RUNS)):
            asked = question(number)
            door.take(door.started(number, asked))
            for _ in range(POLLS):
                door.take(door.polled(number, "in_progress"))
            door.take(door.polled(number, "completed"))
            door.take(door.listed(number, asked))
        door.tick()

    times = best_us({"feed": feed}, calls=RUNS * records, rounds=2, settle=lambda: None)
    bare = best_us({"bare": bare_spans(RUNS * records)}, calls=RUNS * records, rounds=2, settle=lambda: None)
    note = f"{times['feed']:.0f} us a record, records made and spans emitted included"
    return Row(
        "records a second at the tracker's door",
        1e6 / times["feed"],
        "",
        bare=times["feed"] / bare["bare"],
        note=note,
    )


def _client() -> Iterator[Row]:
    with fake() as base_url, openai.OpenAI(api_key="none", base_url=base_url, max_retries=0) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        for what, act in (("polls", _poll), ("whole runs (create, poll to the end, list)", _whole)):
            rates = {True: 0.0, False: 0.0}
            for traced in (False, True) * ROUNDS:
                with _instrumented() if traced else nullcontext():
                    rates[traced] = max(rates[traced], _slice(client, assistant.id, act))
            note = f"{rates[True]:,.0f} of {rates[False]:,.0f} a second, {THREADS} threads, the fake in another process"
            yield Row(
                f"rate of {what} of the real client, with : without", rates[True] / rates[False], note=note
            )


@contextmanager
def _instrumented() -> Iterator[None]:
    runspan.instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
    try:
        yield
    finally:
        runspan.uninstrument()


def _poll(client: Any, assistant_id: str, stop: float) -> int:
    run = client.beta.threads.create_and_run(
        assistant_id=assistant_id, extra_headers={"X-Fake-Scenario": "slow"}
    )
    done = 0
    while time.monotonic() < stop:
        client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        done += 1
    return done


def _whole(client: Any, assistant_id: str, stop: float) -> int:
    done = 0
    while time.monotonic() < stop:
        run = client.beta.threads.create_and_run(assistant_id=assistant_id)
        while run.status in ("queued", "in_progress"):
            run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        client.beta.threads.messages.list(run.thread_id)
        done += 1
    return done


def _slice(client: Any, assistant_id: str, act: Any) -> float:
    """How often a second, by all threads together."""
    counts: list[int] = []
    began = time.monotonic()
    threads = [
        threading.Thread(target=lambda: counts.append(act(client, assistant_id, began + SECONDS)))
        for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.monotonic() - began
    runspan.flush()
    return sum(counts) / took_s


@contextmanager
def fake(scenario: str = "default") -> Iterator[str]:
    """The fake server in a process of its own; its base URL."""
    command = [sys.executable, "-m", "runspan.fake", "--scenario", scenario]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
