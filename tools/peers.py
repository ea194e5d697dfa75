"""`make bench-peers`: what other tools' decorators cost beside `@observe`, each in an environment of its own, as one table.

    python tools/peers.py             all
    python tools/peers.py logfire     one

Environments are kept in `.venvs/`. Each tool runs inside an open span of its own, with a span processor that does nothing; langfuse
and mlflow have their own besides, without a network. That arguments and result were captured is checked, not believed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from typing import Any

from matrix import Environment, installed, prepared
from processes import ROOT
from table import columns

CALLS, ROUNDS = 50, 8
QUESTION, ANSWER = "What is 1 + 1?", "It is two."
HEAD = [
    "decorator",
    "with",
    "its call",
    "runspan's",
    "bare span",
    "it / bare",
    "runspan / bare",
    "it / runspan",
    "",
]
NOTE = "Added to one call of a function of two arguments; both and the result captured. Best of many, thread's own time."

Answer = Callable[[str, int], str]
Tool = tuple[Answer, AbstractContextManager[Any]]  # its decorated function, a root of its own


def main(wanted: list[str]) -> int:
    rows = [_row(name) for name in PEERS if not wanted or name in wanted]
    print("\n" + columns(HEAD, *rows), NOTE, sep="\n\n")
    return 0 if all(row[2] for row in rows) else 1


def _row(name: str) -> tuple[str, ...]:
    print(f"{name} ...", flush=True)
    _, call, requirements = PEERS[name]
    try:
        python = prepared(Environment(f"peer-{name}", requirements), group="")
        child = [python, "-W", "ignore", __file__, "--child", name]
        done = subprocess.run(child, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    except subprocess.CalledProcessError as error:
        return (
            f"{name} {call}",
            f"SKIPPED: {error.cmd[1:4]} ended with {error.returncode}",
            *[""] * (len(HEAD) - 2),
        )
    versions, package = installed(python), requirements[0].partition("==")[0]
    using = f"{package} {versions[package]}, opentelemetry-sdk {versions['opentelemetry-sdk']}"
    us = json.loads(done.stdout.splitlines()[-1])
    it, our, bare = us[name], us["runspan"], us["bare"]
    ratios = (f"{ratio:.1f}" for ratio in (it / bare, our / bare, it / our))
    return f"{name} {call}", using, *(f"{value:.1f} us" for value in (it, our, bare)), *ratios, ""


# ---------------------------------------------------------------- in the environment of one tool


def answer(question: str, limit: int) -> str:
    return ANSWER


def bare(last: Any, provider: Any) -> Tool:
    tracer = provider.get_tracer("bare")

    def spanned(question: str, limit: int) -> str:
        with tracer.start_as_current_span("bare"):
            return answer(question, limit)

    return spanned, tracer.start_as_current_span("root")


def ours(last: Any, provider: Any) -> Tool:
    import runspan

    runspan.instrument(tracer_provider=provider, fetch="never")
    return runspan.observe(answer), runspan.span("root")


def langfuse(last: Any, provider: Any) -> Tool:
    from langfuse import Langfuse, observe
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    keys = {"public_key": "pk", "secret_key": "sk", "base_url": "http://127.0.0.1:9"}
    client = Langfuse(**keys, tracer_provider=provider, span_exporter=InMemorySpanExporter())
    return observe()(answer), client.start_as_current_observation(as_type="span", name="root")


def logfire(last: Any, provider: Any) -> Tool:
    import logfire

    quiet = {"send_to_logfire": False, "console": False, "inspect_arguments": False, "metrics": False}
    logfire.configure(**quiet, additional_span_processors=[last])
    return logfire.instrument("answer", record_return=True)(answer), logfire.span("root")


def traceloop(last: Any, provider: Any) -> Tool:
    from opentelemetry import trace
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import task

    Traceloop.init(app_name="bench", telemetry_enabled=False, processor=last, instruments=set())
    return task(name="answer")(answer), trace.get_tracer("bench").start_as_current_span("root")


def mlflow(last: Any, provider: Any) -> Tool:
    import mlflow
    from mlflow.entities.trace_location import MlflowExperimentLocation
    from mlflow.tracing import provider as own

    mlflow.set_tracking_uri("http://127.0.0.1:9")
    mlflow.tracing.set_destination(MlflowExperimentLocation("0"))  # else it asks the server which
    own.provider.get_or_init_tracer("bench")
    own.provider.get().add_span_processor(last)
    return mlflow.trace(answer), mlflow.start_span("root")


# The versions that docs/contributing/complaints.md speaks of. traceloop needs httpx and does not ask for it.
PEERS: dict[str, tuple[Callable[[Any, Any], Tool], str, tuple[str, ...]]] = {
    "langfuse": (langfuse, "@observe()", ("langfuse==5.0.4",)),
    "logfire": (logfire, "@instrument(record_return=True)", ("logfire==5.2.0",)),
    "traceloop": (traceloop, "@task", ("traceloop-sdk==0.62.4", "httpx")),
    "mlflow": (mlflow, "@trace", ("mlflow-tracing==3.17.2",)),
}


def measure(name: str) -> None:
    """Print the microseconds that a call costs more than one of the plain function, by tool."""
    from opentelemetry.sdk.trace import SpanProcessor

    from benches.timing import best_us, provider_with

    class Last(SpanProcessor):
        """Remembers the span that ended last, and does nothing else."""

        span: Any = None

        def on_end(self, span: Any) -> None:
            self.span = span

    def calls(function: Answer) -> None:
        for _ in range(CALLS):
            function(QUESTION, 2)

    variants = {"plain": partial(calls, answer)}
    roots = []  # never left: nobody waits for a server that is not there
    for tool, make in {"bare": bare, name: PEERS[name][0], "runspan": ours}.items():
        last, inside = Last(), copy_context()
        function, root = make(last, provider_with(last))
        inside.run(root.__enter__)
        roots.append(root)
        variants[tool] = partial(inside.run, calls, function)
        variants[tool]()
        captured = str(dict(last.span.attributes or {}))
        if tool != "bare" and not (QUESTION in captured and ANSWER in captured):
            print(f"{tool} did not capture what it should: {captured}", file=sys.stderr, flush=True)
            os._exit(1)
    times = best_us(variants, calls=CALLS, rounds=ROUNDS)
    print(json.dumps({tool: us - times["plain"] for tool, us in times.items()}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        measure(sys.argv[2])
    sys.exit(main(sys.argv[1:]))
