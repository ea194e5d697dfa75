"""What nobody reads is fetched: polled runs with a server-side tool, fast through one client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import openai
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

import runspan
from benches.timing import provider_with
from processes import fake
from table import Row

RUNS, A_SECOND, THREADS = 500, 50, 16
TOOLS: Any = [{"type": "code_interpreter"}]


class Arrivals(SpanProcessor):
    """When each run span went out, and how many tools came."""

    def __init__(self) -> None:
        self.at_s: dict[str, float] = {}
        self.tools = 0

    def on_end(self, span: ReadableSpan) -> None:
        if span.name.startswith("invoke_agent"):
            self.at_s[str((span.attributes or {})["runspan.run.id"])] = time.monotonic()
        self.tools += span.name.startswith("execute_tool")


def rows() -> Iterator[Row]:
    with fake("code_interpreter") as base_url:
        yield from _busy(base_url)


def _busy(base_url: str) -> Iterator[Row]:
    arrivals = Arrivals()
    handle = runspan.instrument(tracer_provider=provider_with(arrivals))
    with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", tools=TOOLS)
        began_s = time.monotonic() + 0.2

        def one(number: int) -> tuple[str, float]:
            time.sleep(max(0.0, began_s + number / A_SECOND - time.monotonic()))
            return run(client, assistant.id), time.monotonic()

        with ThreadPoolExecutor(THREADS) as pool:
            done = list(pool.map(one, range(RUNS)))
        took_s = time.monotonic() - began_s
        runspan.flush(30)
    stats = handle.stats()
    runspan.uninstrument()
    lacking = max(sum(stats.missing.values()), RUNS - arrivals.tools)
    note = f"{RUNS / took_s:.0f} a second reached; GETs of ours: {dict(stats.fetches)}"
    what = f"polled code-interpreter runs at {A_SECOND} a second, messages read: whole traces"
    yield Row(what, (RUNS - lacking) / RUNS * 100, "%", 100, at_least=True, note=note)
    late_s = sorted(arrivals.at_s[run_id] - ended_s for run_id, ended_s in done)
    note = f"the app is waited for {handle.config.limits.settle_s:g} s of it"
    yield Row("  a run span goes out after the app's last call, median", median(late_s), "s", note=note)
    yield Row("    worst", late_s[-1], "s")


def run(client: Any, assistant_id: str) -> str:
    """One run, polled by hand; of what it made, the app reads the messages alone."""
    thread = {"messages": [{"role": "user", "content": "What is 6 times 7?"}]}
    made = client.beta.threads.create_and_run(assistant_id=assistant_id, thread=thread)
    while made.status in ("queued", "in_progress"):
        time.sleep(0.05)
        made = client.beta.threads.runs.retrieve(made.id, thread_id=made.thread_id)
    client.beta.threads.messages.list(made.thread_id)
    return str(made.id)
