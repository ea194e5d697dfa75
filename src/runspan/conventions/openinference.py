"""The cheap part of OpenInference that fills gaps of backends (Phoenix, MLflow, Langfuse): kinds, session, plain input and output.

Never a plain-text `input.value` on the generation span: it would hide the messages there.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..core.model import CallFacts, RunFacts, SpanData, SpanKind, ToolFacts
from ..core.redact import cut
from . import messages

KIND = "openinference.span.kind"
SESSION = "session.id"
AGENT_NAME = "agent.name"

_KINDS: Mapping[SpanKind, str] = {
    SpanKind.RUN: "AGENT",
    SpanKind.GENERATION: "LLM",
    SpanKind.TOOL: "TOOL",
    SpanKind.CALL: "CHAIN",
}
RETRIEVERS = frozenset({"file_search", "retrieval"})


def attributes(span: SpanData, max_chars: int) -> dict[str, str]:
    """`{attribute: value}` for one span; a `session.id` that the app set itself wins over the thread's id later."""
    facts = span.facts
    found: dict[str, str | None] = {KIND: _KINDS[span.kind], SESSION: _thread_id(facts)}
    if span.kind is SpanKind.RUN and isinstance(facts, RunFacts) and facts.assistant is not None:
        found[AGENT_NAME] = facts.assistant.name
    if isinstance(facts, ToolFacts):
        if facts.call.type in RETRIEVERS:
            found[KIND] = "RETRIEVER"
        found |= _values(facts.call.arguments, facts.call.output, max_chars)
    elif isinstance(facts, CallFacts):
        if span.operation == "retrieval":
            found[KIND] = "RETRIEVER"
        if facts.search is not None:
            found |= _values("\n".join(facts.search.queries) or None, None, max_chars)
    elif span.kind is SpanKind.RUN and isinstance(facts, RunFacts) and facts.captured:
        asked = [m for m in facts.inputs if m.role == "user"][-1:]
        found |= _values(messages.plain(asked) or None, messages.plain(facts.outputs) or None, max_chars)
    return {key: value for key, value in found.items() if value is not None}


def _values(given: str | None, result: str | None, max_chars: int) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for side, value in (("input", given), ("output", result)):
        if value is not None:
            found[f"{side}.value"] = cut(value, max_chars)
            found[f"{side}.mime_type"] = "application/json" if messages.is_json(value) else "text/plain"
    return found


def _thread_id(facts: RunFacts | ToolFacts | CallFacts) -> str | None:
    if isinstance(facts, RunFacts):
        return (facts.run.thread_id or None) if facts.run else None
    return facts.thread_id
