"""`make test-litellm`: the real LiteLLM proxy, on loopback before the fake server, used by the openai client; as a table.

    python tools/try_litellm.py PATH_OF_LITELLM

LiteLLM serves a part of the API: what it has gives the traces that the fake alone would give, what it lacks gives error spans and
nothing worse. Each row says what the app got, and what its trace holds.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import runspan
from runspan.fake import Message, Scenario, Server, Usage, serve
from runspan.fake.responses.library import SCENARIOS as RESPONSES
from table import columns

KEY = "sk-of-a-proxy-that-nobody-reaches-0123"
MODEL, ANSWER = "gpt-4o", "Good to see you."
USAGE = Usage(100, 20)
READY_S = 180  # it needs about 30
HEAD = ("call", "the app got", "run", "in", "out", "answer", "error spans", "")


@dataclass
class App:
    client: openai.OpenAI
    assistant_id: str = ""

    @property
    def runs(self) -> Any:
        return self.client.beta.threads.runs

    def asked(self) -> dict[str, Any]:
        """A thread of its own, with a question."""
        thread = self.client.beta.threads.create()
        self.client.beta.threads.messages.create(thread.id, role="user", content="Hello?")
        return {"thread_id": thread.id, "assistant_id": self.assistant_id}


@dataclass(frozen=True)
class Case:
    """`errors`: operations whose spans are to have errors. `answers`: a run is to be traced, whole."""

    play: Callable[[App], str]
    answers: bool = True
    errors: tuple[str, ...] = ()


@dataclass
class Told:
    """What the spans of one case say."""

    runs: list[str] = field(default_factory=list)
    tokens: list[tuple[int, int]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


# ---------------------------------------------------------------- what is called


def created(app: App) -> str:
    run = app.runs.create(**app.asked())
    app.client.beta.threads.messages.list(run.thread_id)
    return str(run.status)


def created_unread(app: App) -> str:
    return str(app.runs.create(**app.asked()).status)


def streamed_typed(app: App) -> str:
    return f"{len(list(app.runs.create(**app.asked(), stream=True)))} events"


def streamed_by_the_helper(app: App) -> str:
    with app.runs.stream(**app.asked()) as stream:
        return f"{len(list(stream))} events"


def streamed_raw(app: App) -> str:
    return f"{len(list(app.runs.with_raw_response.create(**app.asked(), stream=True).parse()))} events"


def streamed_in_bytes(app: App) -> str:
    with app.runs.with_streaming_response.create(**app.asked(), stream=True) as response:
        return f"{sum(line.startswith('data:') for line in response.iter_lines())} lines of data"


def polled_by_the_helper(app: App) -> str:
    return str(app.runs.create_and_poll(**app.asked(), poll_interval_ms=1).status)


def response_in_the_background(app: App) -> str:
    response = app.client.responses.create(model=MODEL, input="Hello?", background=True)
    while response.status in ("queued", "in_progress"):
        response = app.client.responses.retrieve(response.id)
    return str(response.status)


def response_streamed_in_the_background(app: App) -> str:
    stream = app.client.responses.create(model=MODEL, input="Hello?", background=True, stream=True)
    return f"{len(list(stream))} events"


def unserved(call: Callable[[App, dict[str, Any]], Any]) -> Callable[[App], str]:
    return lambda app: str(call(app, app.asked()))


CASES: Mapping[str, Case] = {
    "runs.create": Case(created),
    "runs.create, nothing read": Case(created_unread),
    "runs.create(stream=True)": Case(streamed_typed),
    "runs.stream()": Case(streamed_by_the_helper),
    "with_raw_response, stream": Case(streamed_raw),
    "with_streaming_response, bytes": Case(streamed_in_bytes),
    "runs.create_and_poll (GET unserved)": Case(polled_by_the_helper),
    "responses, background, polled": Case(response_in_the_background),
    "responses, background, streamed": Case(response_streamed_in_the_background),
    "runs.retrieve": Case(
        unserved(lambda app, asked: app.runs.retrieve("run_1", thread_id=asked["thread_id"])), answers=False
    ),
    "runs.steps.list": Case(
        unserved(lambda app, asked: app.runs.steps.list("run_1", thread_id=asked["thread_id"])), answers=False
    ),
    "runs.cancel": Case(
        unserved(lambda app, asked: app.runs.cancel("run_1", thread_id=asked["thread_id"])),
        answers=False,
        errors=("cancel_thread_run",),
    ),
    "runs.submit_tool_outputs": Case(
        unserved(
            lambda app, asked: app.runs.submit_tool_outputs(
                "run_1", thread_id=asked["thread_id"], tool_outputs=[]
            )
        ),
        answers=False,
        errors=("submit_tool_outputs",),
    ),
    "threads.create_and_run": Case(
        unserved(lambda app, asked: app.client.beta.threads.create_and_run(assistant_id=app.assistant_id)),
        answers=False,
        errors=("invoke_agent",),
    ),
    "assistants.update": Case(
        unserved(lambda app, asked: app.client.beta.assistants.update(app.assistant_id, name="x")),
        answers=False,
        errors=("update_agent",),
    ),
}

# ---------------------------------------------------------------- what is seen


def main(litellm: str) -> int:
    warnings.simplefilter("ignore", DeprecationWarning)
    exported = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    answered = Scenario(phases=(Message(ANSWER, usage=USAGE),))
    with serve(answered, responses=RESPONSES["default"]) as fake, proxy(litellm, fake) as url:
        handle = runspan.instrument(tracer_provider=provider, limits=runspan.Limits(settle_s=0.0))
        try:
            with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
                app = App(client)
                app.assistant_id = client.beta.assistants.create(model=MODEL, name="Tutor").id
                rows = [_row(name, case, app, exported) for name, case in CASES.items()]
            swallowed = handle.stats().errors
        finally:
            handle.uninstrument()
    print("\n" + columns(HEAD, *rows))
    if swallowed:
        print(f"errors of runspan itself: {swallowed}")
    return 1 if swallowed or any(row[-1] != "ok" for row in rows) else 0


def _row(name: str, case: Case, app: App, exported: InMemorySpanExporter) -> tuple[object, ...]:
    try:
        got = case.play(app)
    except openai.OpenAIError as error:
        got = f"{type(error).__name__} {getattr(error, 'status_code', '')}"
    runspan.flush(20)
    told = _told(exported.get_finished_spans())
    exported.clear()
    is_whole = (told.runs, len(told.tokens), len(told.answers)) == (["completed"], 1, 1)
    is_right = told.errors == list(case.errors) and (
        is_whole if case.answers else not told.runs and not told.tokens
    )
    tokens = told.tokens[0] if told.tokens else ("", "")
    errors = ", ".join(told.errors)
    return (
        name,
        got,
        ", ".join(told.runs),
        *tokens,
        "".join(told.answers)[:40],
        errors,
        "ok" if is_right else "WRONG",
    )


def _told(spans: tuple[ReadableSpan, ...]) -> Told:
    told = Told()
    for span in spans:
        of = dict(span.attributes or {})
        if not span.status.is_ok:
            told.errors.append(str(of["gen_ai.operation.name"]))
        elif "runspan.run.status" in of:
            told.runs.append(str(of["runspan.run.status"]))
        if "gen_ai.usage.input_tokens" in of:
            told.tokens.append((int(of["gen_ai.usage.input_tokens"]), int(of["gen_ai.usage.output_tokens"])))  # type: ignore[arg-type]
        for message in json.loads(str(of.get("gen_ai.output.messages", "[]"))):
            told.answers += [part["content"] for part in message["parts"] if part["type"] == "text"]
    return told


# ---------------------------------------------------------------- the proxy


@contextmanager
def proxy(litellm: str, fake: Server) -> Iterator[str]:
    """Its address, once it is ready. Its output is shown where it does not become so."""
    with tempfile.TemporaryDirectory() as folder:
        config, log = Path(folder) / "config.yaml", Path(folder) / "log"
        config.write_text(json.dumps(_settings(fake)))  # JSON is YAML, too
        port = _free_port()
        command = [litellm, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--telemetry", "False"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            )
        try:
            url = f"http://127.0.0.1:{port}"
            if not _is_ready(url, process):
                print(log.read_text("utf-8", "replace")[-4_000:])
                raise SystemExit("LiteLLM did not become ready")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _settings(fake: Server) -> dict[str, Any]:
    upstream = {"api_key": "sk-of-the-fake", "api_base": fake.base_url}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": {"model": f"openai/{MODEL}", **upstream}}],
        "assistant_settings": {"custom_llm_provider": "openai", "litellm_params": upstream},
        "general_settings": {"master_key": KEY},
    }


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _is_ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health/liveliness", timeout=5):
            return True
        time.sleep(0.5)
    return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
