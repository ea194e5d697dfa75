"""What nobody reads is fetched: polled runs with a server-side tool, fast through one client, and a script that ends at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import openai
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

import runspan
from benches.rates import fake
from benches.table import Row

RUNS, A_SECOND, THREADS = 500, 50, 16
SCRIPT_RUNS = 20

SCRIPT = """
import atexit, sys, time
import openai, runspan
from benches.fetching import run
ended_s = []
atexit.register(lambda: print(time.monotonic() - ended_s[0]))  # exit hooks run last-registered first: after ours
runspan.instrument(file=sys.argv[1])
client = openai.OpenAI(base_url=sys.argv[2], api_key="none", max_retries=0)
assistant = client.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
for _ in range(int(sys.argv[3])):
    run(client, assistant.id)
ended_s.append(time.monotonic())
"""


class Arrivals(SpanProcessor):
    """When each run span went out, and what it lacks."""

    def __init__(self) -> None:
        self.at_s: dict[str, float] = {}
        self.tools = 0

    def on_end(self, span: ReadableSpan) -> None:
        attributes = span.attributes or {}
        if span.name.startswith("invoke_agent"):
            self.at_s[str(attributes["runspan.run.id"])] = time.monotonic()
        self.tools += span.name.startswith("execute_tool")


def rows() -> Iterator[Row]:
    with fake("code_interpreter") as base_url:
        yield from _busy(base_url)
        yield from _script(base_url)


def _busy(base_url: str) -> Iterator[Row]:
    arrivals = Arrivals()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(arrivals)
    handle = runspan.instrument(tracer_provider=provider)
    with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
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
    note = f"{RUNS / took_s:.0f} a second reached; {stats.fetches.get('done', 0)} GETs of ours, {_others(stats)} failed"
    what = f"polled code-interpreter runs at {A_SECOND} a second, messages read: whole traces"
    yield Row(what, (RUNS - lacking) / RUNS * 100, "%", 100, at_least=True, note=note)
    late_s = sorted(arrivals.at_s[run_id] - ended_s for run_id, ended_s in done)
    note = f"the app is waited for {handle.config.limits.settle_s:g} s of it"
    yield Row("  a run span goes out after the app's last call, median", median(late_s), "s", note=note)
    yield Row("    worst", late_s[-1], "s")


def _others(stats: Any) -> int:
    return sum(count for how, count in stats.fetches.items() if how != "done")


def _script(base_url: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.jsonl"
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(path), base_url, str(SCRIPT_RUNS)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=True)
        tools = path.read_text("utf-8").count('"execute_tool code_interpreter"')
    note = "from its last line to the end of our exit hook"
    yield Row(f"a script of {SCRIPT_RUNS} such runs: its exit takes", float(done.stdout), "s", 1, note=note)
    yield Row("  whole traces", tools / SCRIPT_RUNS * 100, "%", 100, at_least=True)


def run(client: Any, assistant_id: str) -> str:
    """One run, polled by hand; of what it made, the app reads the messages alone."""
    thread = {"messages": [{"role": "user", "content": "What is 6 times 7?"}]}
    made = client.beta.threads.create_and_run(assistant_id=assistant_id, thread=thread)
    while made.status in ("queued", "in_progress"):
        time.sleep(0.05)
        made = client.beta.threads.runs.retrieve(made.id, thread_id=made.thread_id)
    client.beta.threads.messages.list(made.thread_id)
    return str(made.id)
