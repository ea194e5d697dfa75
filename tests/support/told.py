"""What a trace says of a run, as one plain value that tests compare whole."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from .playing import ANSWER, INSTRUCTIONS, MODEL, QUESTION
from .tracing import attribute, messages, texts

# What runs of ANSWERED say when the app has seen all of them.
WHOLE: dict[str, Any] = {
    "parent": "create",
    "name": "invoke_agent",
    "status": "completed",
    "unfinished": None,
    "error": None,
    "polls": 3,
    "model": MODEL,
    "usage": (1000, 300, 768, 256),
    "instructions": [INSTRUCTIONS],
    "input": [QUESTION],
    "output": [ANSWER],
    "finish": ("stop",),
    "tools": [],
}

# What runs of ANSWERED say when the app looked away after `in_progress` in a stream.
LOST: dict[str, Any] = {
    **WHOLE,
    "status": "in_progress",
    "unfinished": "stream_closed",
    "usage": None,
    "output": [],
    "polls": 0,
    "finish": ("error",),
}


def told(trace: Any) -> dict[str, Any]:
    """Of the only run. Fails where it is not one run span with one generation span under it."""
    (only,) = all_told(trace)
    return only


def all_told(trace: Any) -> list[dict[str, Any]]:
    """Of each run, in the order in which they ended."""
    spans = trace.spans()
    names = {s.context.span_id: s.name for s in spans}
    runs = [s for s in spans if _operation(s) == "invoke_agent"]
    generations = [s for s in spans if _operation(s) == "chat"]
    assert len(generations) == len(runs), f"{len(generations)} generation spans of {len(runs)} runs"
    for span in spans:
        assert span.parent is None or span.parent.span_id in names, f"{span.name} is an orphan"
    return [_told(run, names, spans) for run in runs]


def _told(run: ReadableSpan, names: dict[int, str], spans: list[ReadableSpan]) -> dict[str, Any]:
    below = [s for s in spans if s.parent is not None and s.parent.span_id == run.context.span_id]
    (generation,) = [s for s in below if _operation(s) == "chat"]
    for child in below:
        times = [run.start_time or 0, child.start_time or 0, child.end_time or 0, run.end_time or 0]
        assert times == sorted(times), f"{child.name} sticks out"
    assert attribute(run, "gen_ai.usage.input_tokens") is None, "tokens stand on exactly one span"
    return {
        "parent": names[run.parent.span_id] if run.parent else None,
        "name": run.name,
        "status": attribute(run, "runspan.run.status"),
        "unfinished": attribute(run, "runspan.run.unfinished"),
        "error": _error(run, generation),
        "polls": attribute(run, "runspan.run.polls"),
        "model": attribute(generation, "gen_ai.response.model"),
        "usage": _usage(generation),
        "instructions": [part["content"] for part in _json(generation, "gen_ai.system_instructions")],
        "input": texts(generation, "input"),
        "output": texts(generation, "output"),
        "finish": attribute(generation, "gen_ai.response.finish_reasons"),
        "tools": [
            (attribute(s, "gen_ai.tool.name"), attribute(s, "gen_ai.tool.call.result"))
            for s in below
            if _operation(s) == "execute_tool"
        ],
    }


def _operation(span: ReadableSpan) -> Any:
    return attribute(span, "gen_ai.operation.name")


def _usage(span: ReadableSpan) -> tuple[int, ...] | None:
    names = ("input_tokens", "output_tokens", "cache_read.input_tokens", "reasoning.output_tokens")
    found = tuple(attribute(span, f"gen_ai.usage.{name}") for name in names)
    return None if found == (None,) * 4 else found


def _error(run: ReadableSpan, generation: ReadableSpan) -> str | None:
    """The same on both spans, or the difference."""
    both = [
        (attribute(s, "error.type"), s.status.status_code.name, s.status.description)
        for s in (run, generation)
    ]
    assert both[0] == both[1], both
    kind, code, _ = both[0]
    assert (code == "ERROR") == (kind is not None), both
    return str(kind) if kind is not None else None


def _json(span: ReadableSpan, key: str) -> list[Any]:
    import json

    found: list[Any] = json.loads(attribute(span, key) or "[]")
    return found


def roles(span: ReadableSpan, side: str) -> list[str]:
    return [str(m["role"]) for m in messages(span, side)]
