"""An instrumented process with its spans in memory, as the end-to-end tests use it."""

from __future__ import annotations

import gc
import json
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

import runspan
from runspan.fake import Server, serve


@dataclass
class Traced:
    """`runs()`, `generations()`, `tools()`, `calls()` of what was exported; each after a flush."""

    provider: TracerProvider
    exporter: InMemorySpanExporter
    handle: Any

    def spans(self, operation: str | None = None) -> list[ReadableSpan]:
        assert flushed()
        found = self.exporter.get_finished_spans()
        return [s for s in found if operation is None or attribute(s, "gen_ai.operation.name") == operation]

    def runs(self) -> list[ReadableSpan]:
        return self.spans("invoke_agent")

    def run(self) -> ReadableSpan:
        (run,) = self.runs()
        return run

    def generation(self) -> ReadableSpan:
        (generation,) = self.spans("chat")
        return generation

    def tools(self) -> list[ReadableSpan]:
        return self.spans("execute_tool")

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        return [
            s for s in self.spans() if s.parent is not None and s.parent.span_id == parent.context.span_id
        ]


def flushed(within_s: float = 10.0) -> bool:
    """Whether all is out. In a thread where a loop runs, `flush` gives up after a tenth of a second, and is asked again."""
    until_s = time.monotonic() + within_s
    while not runspan.flush(timeout=within_s):
        if time.monotonic() > until_s:
            return False
    return True


@contextmanager
def traced(sampler: Sampler | None = None, **options: Any) -> Iterator[Traced]:
    """`instrument()` with a provider in memory; patches are off again afterwards."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    handle = runspan.instrument(
        **{"tracer_provider": provider, "fetch": "never", "settle_s": 60.0, **options}
    )
    try:
        yield Traced(provider, exporter, handle)
    finally:
        runspan.uninstrument()
        provider.shutdown()


def attribute(span: ReadableSpan, key: str) -> Any:
    return (span.attributes or {}).get(key)


def messages(span: ReadableSpan, side: str) -> list[Mapping[str, Any]]:
    """`gen_ai.input.messages` or `gen_ai.output.messages`, decoded."""
    found: list[Mapping[str, Any]] = json.loads(attribute(span, f"gen_ai.{side}.messages") or "[]")
    return found


def texts(span: ReadableSpan, side: str) -> list[str]:
    """The texts of those messages, in order; tool calls aside."""
    parts = [part for m in messages(span, side) for part in m["parts"] if "tool_call" not in part["type"]]
    return [part.get("content", f"[{part['type']}]") for part in parts]


def dies_with_its_app(use: Callable[[Server], weakref.ref[Any]]) -> bool:
    """Whether what `use` made and let go is gone, once runspan is off and the collector came."""
    with serve("text") as server, traced() as trace:
        made = use(server)
        trace.handle.uninstrument()
        gc.collect()
        return made() is None
