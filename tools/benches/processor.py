"""Processor time of the whole process, the worker and the exporter included, with runspan : without.

Both are measured in turns within one run, and each pair is compared for itself: machines are noisy.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import openai
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import runspan
from benches.timing import instrumented, provider_with
from processes import serving
from runspan.exporting.encoding import encode
from runspan.fake import Message, Scenario, SimulatedClock, responses, serve
from table import Row

PAIRS = 15
THREADS = 4
DELTAS = 600

Act = Callable[[Any, str, int], None]  # (client, assistant id, how often)


class Way(NamedTuple):
    """What an app does, and what a server of its own then does."""

    what: str
    text: str
    queue_s: float
    act: Act
    times: int
    budget: float  # with : without


def rows() -> Iterator[Row]:
    for way in WAYS.values():
        with asked(way) as (client, _, assistant_id):
            costs = _costs(partial(way.act, client, assistant_id), way.times)
        ratio = median(traced / bare for bare, traced in costs)
        bare_us, traced_us = (median(side) / way.times * 1e6 for side in zip(*costs, strict=True))
        note = f"{traced_us:,.0f} us of {bare_us:,.0f}, all threads of the process; median of {PAIRS} pairs"
        yield Row(f"processor time of {way.what}, with : without", ratio, "", way.budget, note=note)


@contextmanager
def asked(way: Way) -> Iterator[tuple[openai.OpenAI, str, str]]:
    """(client, base URL, id of an assistant) of a server in a process of its own."""
    with (
        serving("-m", "benches.processor", way.text, str(way.queue_s)) as (_, base_url),
        openai.OpenAI(api_key="none", base_url=base_url, max_retries=0) as client,
    ):
        yield client, base_url, client.beta.assistants.create(model="gpt-4o", instructions="Be brief.").id


def _costs(act: Callable[[int], None], times: int) -> list[tuple[float, float]]:
    """(without, with) of each pair, in seconds of processor time; which comes first changes."""
    pairs = []
    for number in range(PAIRS + 1):
        order = (False, True) if number % 2 else (True, False)
        pair = {traced: _cost(act, times, traced) for traced in order}
        pairs.append((pair[False], pair[True]))
    return pairs[1:]  # the first one warms up


def _cost(act: Callable[[int], None], times: int, traced: bool) -> float:
    with exporting() if traced else nullcontext():
        act(THREADS)  # what is made once
        began = time.process_time()
        act(times)
        if traced:
            runspan.flush()
        return time.process_time() - began


class _Encoded(SpanExporter):
    """Encodes as OTLP does, and sends nothing."""

    def export(self, spans: Any) -> SpanExportResult:
        encode(spans)
        return SpanExportResult.SUCCESS


@contextmanager
def exporting() -> Iterator[None]:
    provider = provider_with(BatchSpanProcessor(_Encoded()))
    with instrumented(provider):
        yield
    provider.shutdown()


# ---------------------------------------------------------------- what an app does


def _polled(client: Any, assistant_id: str, times: int) -> None:
    threads = client.beta.threads
    for _ in range(times):
        thread = threads.create(messages=[{"role": "user", "content": "What is 17 * 23?"}])
        run = threads.runs.create(thread.id, assistant_id=assistant_id)
        while run.status in ("queued", "in_progress"):
            run = threads.runs.retrieve(run.id, thread_id=thread.id)
        threads.messages.list(thread.id)


def _polls(client: Any, assistant_id: str, times: int) -> None:
    run = client.beta.threads.create_and_run(assistant_id=assistant_id)

    def look() -> None:
        for _ in range(times // THREADS):
            client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)

    threads = [threading.Thread(target=look) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _streamed(client: Any, assistant_id: str, times: int) -> None:
    for _ in range(times):
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Tell me all."}])
        with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant_id) as events:
            for _ in events:
                pass


def _background(client: Any, _: str, times: int) -> None:
    for _ in range(times):
        response = client.responses.create(model="gpt-4o", input="What is 17 * 23?", background=True)
        while response.status in ("queued", "in_progress"):
            response = client.responses.retrieve(response.id)


WAYS = {
    "polled": Way("a polled run (thread, create, polls, list)", "It is 391.", 3, _polled, 20, 1.05),
    "background": Way("a background response (create, polls)", "It is 391.", 3, _background, 20, 1.05),
    "polls": Way("a poll of a live run, 4 threads", "It is 391.", 10**6, _polls, 400, 1.03),
    "streamed": Way(f"a streamed run of {DELTAS} deltas", "word " * DELTAS, 0, _streamed, 4, 1.05),
}


def _serve(text: str, queue_s: str) -> None:
    """The fake, whose time moves on with each poll."""
    run = Scenario(phases=(Message(text),), queue_s=float(queue_s))
    response = responses.Scenario((responses.Message(text),), queue_s=float(queue_s))
    with serve(run, SimulatedClock(poll_step_s=0.5), responses=response) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
