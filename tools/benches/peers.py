"""One peer's decorator, runspan's and a bare span on the same function: `python peers.py langfuse`, in its environment.

Each runs inside an open span of its own, with a span processor that does nothing; langfuse and mlflow have their own besides,
without a network. That arguments and result were captured is checked, not believed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import runspan
from benches.timing import best_us

CALLS, ROUNDS = 50, 8
QUESTION, ANSWER = "What is 1 + 1?", "It is two."

Answer = Callable[[str, int], str]


def answer(question: str, limit: int) -> str:
    return ANSWER


class Last(SpanProcessor):
    """Remembers the span that ended last, and does nothing else."""

    span: ReadableSpan | None = None

    def on_end(self, span: ReadableSpan) -> None:
        self.span = span


class Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


# ---------------------------------------------------------------- each tool: its decorated function, a root of its own

Tool = tuple[Answer, AbstractContextManager[Any]]


def bare(last: Last) -> Tool:
    tracer = _provider(last).get_tracer("bare")

    def spanned(question: str, limit: int) -> str:
        with tracer.start_as_current_span("bare"):
            return answer(question, limit)

    return spanned, tracer.start_as_current_span("root")


def ours(last: Last) -> Tool:
    runspan.instrument(tracer_provider=_provider(last), fetch="never")
    return runspan.observe(answer), runspan.span("root")


def langfuse(last: Last) -> Tool:
    from langfuse import Langfuse, observe

    client = Langfuse(
        public_key="pk",
        secret_key="sk",
        base_url="http://127.0.0.1:9",
        tracer_provider=_provider(last),
        span_exporter=Nowhere(),
    )
    return observe()(answer), client.start_as_current_observation(as_type="span", name="root")


def logfire(last: Last) -> Tool:
    import logfire

    logfire.configure(
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        metrics=False,
        additional_span_processors=[last],
    )
    return logfire.instrument("answer", record_return=True)(answer), logfire.span("root")


def traceloop(last: Last) -> Tool:
    from opentelemetry import trace
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import task

    Traceloop.init(app_name="bench", telemetry_enabled=False, processor=last, instruments=set())
    return task(name="answer")(answer), trace.get_tracer("bench").start_as_current_span("root")


def mlflow(last: Last) -> Tool:
    import mlflow
    from mlflow.entities.trace_location import MlflowExperimentLocation
    from mlflow.tracing import provider

    mlflow.set_tracking_uri("http://127.0.0.1:9")
    mlflow.tracing.set_destination(MlflowExperimentLocation("0"))  # else it asks the server which
    provider.provider.get_or_init_tracer("bench")
    provider.provider.get().add_span_processor(last)
    return mlflow.trace(answer), mlflow.start_span("root")


PEERS: dict[str, Callable[[Last], Tool]] = {
    "langfuse": langfuse,
    "logfire": logfire,
    "traceloop": traceloop,
    "mlflow": mlflow,
}


def _provider(last: Last) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(last)
    return provider


# ---------------------------------------------------------------- the measurement


def measure(name: str) -> None:
    """Print the microseconds that a call costs more than one of the plain function, by tool."""
    variants = {"plain": _calls(answer)}
    roots = []  # never left: nobody waits for a server that is not there
    for tool, make in {"bare": bare, name: PEERS[name], "runspan": ours}.items():
        last = Last()
        function, root = make(last)
        inside = copy_context()
        inside.run(root.__enter__)
        roots.append(root)
        variants[tool] = partial(inside.run, _calls(function))
        variants[tool]()
        if tool != "bare":
            _check(tool, last.span)
    times = best_us(variants, calls=CALLS, rounds=ROUNDS, settle=lambda: None)
    print(
        json.dumps({tool: us - times["plain"] for tool, us in times.items() if tool != "plain"}), flush=True
    )
    os._exit(0)


def _calls(function: Answer) -> Callable[[], None]:
    def make() -> None:
        for _ in range(CALLS):
            function(QUESTION, 2)

    return make


def _check(tool: str, span: ReadableSpan | None) -> None:
    said = "" if span is None else str(dict(span.attributes or {}))
    if QUESTION not in said or ANSWER not in said:
        print(f"{tool} did not capture what it should: {said}", file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    measure(sys.argv[1])
