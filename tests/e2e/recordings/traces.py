"""Reads finished spans back into facts, and names whatever among them has no place in a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from .facts import Facts, RunFacts, Texts

RUN, GENERATION, TOOL = "invoke_agent", "chat", "execute_tool"
CALL_ID = "gen_ai.tool.call.id"
INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"


def seen(spans: Sequence[ReadableSpan]) -> Facts:
    run_spans = sorted((s for s in spans if operation(s) == RUN), key=lambda s: s.start_time or 0)
    started = [s for s in run_spans if "runspan.run.id" in attributes(s)]
    refused = [s for s in run_spans if "runspan.run.id" not in attributes(s)]
    calls = [s for s in spans if operation(s) not in (RUN, GENERATION, TOOL)]
    return Facts(
        runs=tuple(_run(span, children(span, spans)) for span in started),
        failed_creates=len(refused),
        failed_writes=len(calls),
        tokens=(_sum(spans, INPUT), _sum(spans, OUTPUT)),
        odd=tuple(oddities(spans, started, refused, calls)),
    )


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def operation(span: ReadableSpan) -> str | None:
    return attributes(span).get("gen_ai.operation.name")


def failed(span: ReadableSpan) -> bool:
    return span.status.status_code is StatusCode.ERROR


def children(parent: ReadableSpan, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
    return [s for s in spans if s.parent and parent.context and s.parent.span_id == parent.context.span_id]


def oddities(
    spans: Sequence[ReadableSpan],
    started: list[ReadableSpan],
    refused: list[ReadableSpan],
    calls: list[ReadableSpan],
) -> Iterator[str]:
    for run in started:
        below = children(run, spans)
        if (count := sum(operation(s) == GENERATION for s in below)) != 1:
            yield f"{label(run)} has {count} generation spans"
        yield from (f"{label(s)} lies outside {label(run)}" for s in below if not _inside(s, run))
    for run in refused:
        if not failed(run) or "error.type" not in attributes(run):
            yield f"{label(run)} has no run id and no error"
        yield from (f"{label(s)} stands under a refused run" for s in children(run, spans))
    runs = {s.context.span_id for s in started if s.context}
    for span in spans:
        at_home = span.parent is not None and span.parent.span_id in runs
        if operation(span) in (GENERATION, TOOL) and not at_home:
            yield f"{label(span)} is not a child of a run span"
        if operation(span) == RUN and span.parent:
            yield f"{label(span)} has a parent, though the app had no span"
    yield from (f"{label(s)} is the span of a call that did not fail" for s in calls if not failed(s))


def label(span: ReadableSpan) -> str:
    return f"span {span.name!r}"


def _run(span: ReadableSpan, below: list[ReadableSpan]) -> RunFacts:
    run = attributes(span)
    generation = next((s for s in below if operation(s) == GENERATION), None)
    chat = attributes(generation) if generation else {}
    unfinished = run.get("runspan.run.unfinished")
    return RunFacts(
        id=run["runspan.run.id"],
        status=run.get("runspan.run.status", "absent"),
        end_was_seen=unfinished is None,
        error_type=None if unfinished else _error_type(span, generation),
        model=chat.get("gen_ai.response.model"),
        input_tokens=chat.get(INPUT),
        output_tokens=chat.get(OUTPUT),
        outputs=_texts(chat.get("gen_ai.output.messages", "[]")),
        tool_calls=tuple(sorted(attributes(s).get(CALL_ID, "absent") for s in below if operation(s) == TOOL)),
    )


def _error_type(run: ReadableSpan, generation: ReadableSpan | None) -> str | None:
    """What run and generation both say, agreeing with their status; else a text no recording expects."""
    both = [run, *([generation] if generation else [])]
    said = {(failed(s), attributes(s).get("error.type")) for s in both}
    if said == {(False, None)}:
        return None
    is_error, error_type = next(iter(said))
    return error_type if len(said) == 1 and is_error else f"run and generation do not agree: {said}"


def _texts(messages: str) -> Texts:
    found = (tuple(p["content"] for p in m["parts"] if p["type"] == "text") for m in json.loads(messages))
    return tuple(texts for texts in found if texts)


def _sum(spans: Sequence[ReadableSpan], name: str) -> int:
    return sum(attributes(span).get(name, 0) for span in spans)


def _inside(child: ReadableSpan, parent: ReadableSpan) -> bool:
    times = (parent.start_time, child.start_time, child.end_time, parent.end_time)
    return None not in times and list(times) == sorted(time for time in times if time is not None)
