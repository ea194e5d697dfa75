"""Finished spans of a real provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, Status, StatusCode


def spans(*attributes: Mapping[str, Any], resource: Mapping[str, Any] | None = None) -> list[ReadableSpan]:
    """One span named 0, 1, ... for each."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource(resource or {"service.name": "test"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("runspan", "1")
    for number, one in enumerate(attributes):
        tracer.start_span(str(number), attributes=one).end()
    return list(exporter.get_finished_spans())


def rich() -> list[ReadableSpan]:
    """A parent and a child with everything that a span can have."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "tést", "n": 7}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("runspan", "1.2")
    with tracer.start_as_current_span(
        "parent", kind=trace.SpanKind.CLIENT, start_time=1_700_000_000_123_456_789
    ) as parent:
        parent.set_attributes(
            {
                "text": '中文 🙂 \n" \\',
                "int": 2**62,
                "float": 0.1,
                "nan": float("nan"),
                "yes": True,
                "list": ["a", "b"],
            }
        )
        child = tracer.start_span("child", links=[Link(parent.get_span_context(), {"why": "so"})])
        child.add_event("exception", {"exception.type": "boom"}, 1_700_000_001_000_000_000)
        child.set_status(Status(StatusCode.ERROR, "it broke"))
        child.end()
    return list(exporter.get_finished_spans())
