"""One program with background Responses, under one tracer: `python program.py TRACER COLUMN BASE_URL [RESPONSE_ID]`.

Prints the version of the tracer's package and the spans that it exported, as JSON. Every tracer is set up as its own documentation
says, with the exporter in memory where the documentation has the address of a backend, and asked to record contents.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

POLL_S = 0.2
MODEL, QUESTION = "gpt-4o", "What is 6 times 7?"
kept = InMemorySpanExporter()

Root = AbstractContextManager[Any]


def provider() -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(kept))
    return made


def runspan() -> Root:
    import runspan

    made = provider()
    runspan.instrument(tracer_provider=made)
    return runspan.span("app")


def instrumented(module: str, **settings: str) -> Callable[[], Root]:
    """By an instrumentation in OpenTelemetry's form. `settings`: variables that it needs to record contents."""

    def begin() -> Root:
        os.environ.update(settings)
        made = provider()
        import_module(module).OpenAIInstrumentor().instrument(tracer_provider=made)
        return made.get_tracer("app").start_as_current_span("app")

    return begin


def logfire() -> Root:
    import logfire

    logfire.configure(
        send_to_logfire=False, console=False, additional_span_processors=[SimpleSpanProcessor(kept)]
    )
    logfire.instrument_openai()
    return logfire.span("app")


def langfuse() -> Root:
    from langfuse import Langfuse

    client = Langfuse(public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", span_exporter=kept)
    return client.start_as_current_observation(as_type="span", name="app")


TRACERS: dict[str, Callable[[], Root]] = {
    "runspan": runspan,
    "genai-openai": instrumented(
        "opentelemetry.instrumentation.genai.openai",
        OTEL_SEMCONV_STABILITY_OPT_IN="gen_ai_latest_experimental",
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
    ),
    "openinference": instrumented("openinference.instrumentation.openai"),
    "openllmetry": instrumented("opentelemetry.instrumentation.openai"),
    "logfire": logfire,
    "langfuse": langfuse,
}


def client_for(tracer: str, base_url: str) -> Any:
    if tracer == "langfuse":
        from langfuse.openai import OpenAI  # its drop-in client
    else:
        from openai import OpenAI
    return OpenAI(base_url=base_url, api_key="none")


# ---------------------------------------------------------------- the program


def polled(client: Any) -> str:
    response = client.responses.create(model=MODEL, input=QUESTION, background=True)
    while response.status in ("queued", "in_progress"):
        time.sleep(POLL_S)
        response = client.responses.retrieve(response.id)
    return str(response.id)


def streamed(client: Any) -> str:
    stream = client.responses.create(model=MODEL, input=QUESTION, background=True, stream=True)
    return [event.response.id for event in stream if hasattr(event, "response")][-1]


def resumed(client: Any) -> str:
    seen: list[Any] = []
    with suppress(Exception):  # the connection breaks
        seen.extend(client.responses.create(model=MODEL, input=QUESTION, background=True, stream=True))
    id_, after = seen[0].response.id, seen[-1].sequence_number
    for _ in client.responses.retrieve(id_, stream=True, starting_after=after):
        pass
    return str(id_)


def read(client: Any) -> str:
    return str(client.responses.retrieve(sys.argv[4]).id)


COLUMNS: dict[str, Callable[[Any], str]] = {
    "polled": polled,
    "streamed": streamed,
    "cut, then resumed": resumed,
    "failed": polled,
    "second reader": read,
}


def main(tracer: str, column: str, base_url: str) -> None:
    root = TRACERS[tracer]()
    with client_for(tracer, base_url) as client, root:
        id_ = COLUMNS[column](client)
    _flush(tracer)
    spans = [
        {
            "name": span.name,
            "seconds": ((span.end_time or 0) - (span.start_time or 0)) / 1e9,
            "error": span.status.status_code.name == "ERROR",
            "attributes": dict(span.attributes or {}),
            "events": [dict(event.attributes or {}) for event in span.events],
        }
        for span in kept.get_finished_spans()
        if span.name != "app"
    ]
    print(json.dumps({"id": id_, "spans": spans}, default=str), flush=True)
    os._exit(0)  # whoever sends something home by a thread of its own is not waited for


def _flush(tracer: str) -> None:
    if tracer == "runspan":
        import runspan

        runspan.flush(timeout=10.0)
    elif tracer == "langfuse":
        from langfuse import get_client

        get_client().flush()
    elif tracer == "logfire":
        import logfire

        logfire.force_flush()


if __name__ == "__main__":
    main(*sys.argv[1:4])
