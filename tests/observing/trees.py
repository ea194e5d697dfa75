"""Traces of the app's own spans as plain values that tests compare whole."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from tests.support.tracing import Traced, attribute


def spans(trace: Traced) -> list[ReadableSpan]:
    """In the order in which they ended; runs are not waited for."""
    return list(trace.exporter.get_finished_spans())


def tree(trace: Traced) -> list[tuple[str, str | None]]:
    """(name, name of the parent) of each, in the order in which they began."""
    found = sorted(spans(trace), key=lambda s: s.start_time or 0)
    names = {s.context.span_id: s.name for s in found}
    return [(s.name, names.get(s.parent.span_id, "?") if s.parent else None) for s in found]


def span(trace: Traced, name: str) -> ReadableSpan:
    (found,) = [s for s in spans(trace) if s.name == name]
    return found


def given(of: ReadableSpan) -> Any:
    """The input, decoded where it is JSON."""
    return _side(of, "input")


def output(of: ReadableSpan) -> Any:
    return _side(of, "output")


def status(of: ReadableSpan) -> str:
    return of.status.status_code.name


def events(of: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(e.name, dict(e.attributes or {})) for e in of.events]


def _side(of: ReadableSpan, side: str) -> Any:
    value = attribute(of, f"{side}.value")
    is_json = attribute(of, f"{side}.mime_type") == "application/json"
    return json.loads(value) if is_json else value
