"""`make test-litellm`: the real LiteLLM proxy, on loopback before the fake server, used by the openai client; as a table.

    python tools/try_litellm.py PATH_OF_LITELLM

LiteLLM serves a part of the API: what it has gives the traces that the fake alone would give, what it lacks gives error spans and
nothing worse. Each row says what the app got, and what its trace holds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import runspan
from backends.servers import running
from benches.timing import provider_with
from processes import ROOT
from runspan.fake import Message, Scenario, Server, Usage, serve
from runspan.fake.responses.library import SCENARIOS as RESPONSES
from runspan.testing import traces
from table import columns

sys.path.append(str(ROOT))
from tests.support.serving import free_port

KEY = "sk-of-a-proxy-that-nobody-reaches-0123"
MODEL, ANSWER = "gpt-4o", "Good to see you."
USAGE = Usage(100, 20)
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


# What LiteLLM lacks: the call, and the operations whose spans are to have errors.
UNSERVED: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "runs.retrieve": (lambda app, thread_id, **_: app.runs.retrieve("run_1", thread_id=thread_id), ()),
    "runs.steps.list": (lambda app, thread_id, **_: app.runs.steps.list("run_1", thread_id=thread_id), ()),
    "runs.cancel": (
        lambda app, thread_id, **_: app.runs.cancel("run_1", thread_id=thread_id),
        ("cancel_thread_run",),
    ),
    "runs.submit_tool_outputs": (
        lambda app, thread_id, **_: app.runs.submit_tool_outputs(
            "run_1", thread_id=thread_id, tool_outputs=[]
        ),
        ("submit_tool_outputs",),
    ),
    "threads.create_and_run": (
        lambda app, assistant_id, **_: app.client.beta.threads.create_and_run(assistant_id=assistant_id),
        ("invoke_agent",),
    ),
    "assistants.update": (
        lambda app, assistant_id, **_: app.client.beta.assistants.update(assistant_id, name="x"),
        ("update_agent",),
    ),
}

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
    **{
        name: Case(lambda app, call=call: str(call(app, **app.asked())), False, errors)
        for name, (call, errors) in UNSERVED.items()
    },
}

# ---------------------------------------------------------------- what is seen


def main(litellm: str) -> int:
    warnings.simplefilter("ignore", DeprecationWarning)
    exported = InMemorySpanExporter()
    answered = Scenario(phases=(Message(ANSWER, usage=USAGE),))
    with serve(answered, responses=RESPONSES["default"]) as fake, proxy(litellm, fake) as url:
        provider = provider_with(SimpleSpanProcessor(exported))
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
    spans = exported.get_finished_spans()
    exported.clear()
    errors = tuple(str((s.attributes or {})["gen_ai.operation.name"]) for s in spans if not s.status.is_ok)
    runs = [run for run in traces.read(spans, {}) if not run.error]
    is_whole = [(run.status, bool(run.usage and run.answer)) for run in runs] == [("completed", True)]
    is_right = errors == case.errors and (is_whole if case.answers else not runs)
    usage = runs[0].usage if runs else None
    return (
        *(name, got, ", ".join(str(run.status) for run in runs)),
        *((usage.input_tokens, usage.output_tokens) if usage else ("", "")),
        *("".join(run.answer for run in runs)[:40], ", ".join(errors), "ok" if is_right else "WRONG"),
    )


# ---------------------------------------------------------------- the proxy


@contextmanager
def proxy(litellm: str, fake: Server) -> Iterator[str]:
    """Its address, once it is ready."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(json.dumps(_settings(fake)))  # JSON is YAML, too
        where = ("--config", config, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
        env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        ready = f"{url}/health/liveliness"
        with running([litellm, *where], log=Path(folder) / "log", ready=ready, env=env):
            yield url


def _settings(fake: Server) -> dict[str, Any]:
    upstream = {"api_key": "sk-of-the-fake", "api_base": fake.base_url}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": {"model": f"openai/{MODEL}", **upstream}}],
        "assistant_settings": {"custom_llm_provider": "openai", "litellm_params": upstream},
        "general_settings": {"master_key": KEY},
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
