"""The cheap part of OpenInference that fills gaps of backends (Phoenix, MLflow, Langfuse): kinds, session, plain input and output.

Never a plain-text `input.value` on a generation: in MLflow and Langfuse it would hide the messages there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring

from ..core.jsontext import fit_text, is_json
from ..core.model import CallFacts, Document, RunFacts, SpanData, SpanKind, ToolFacts
from ..core.redact import cut
from ..core.tools import SEARCHES
from . import messages
from .genai import Found

KIND = "openinference.span.kind"
SESSION = "session.id"
AGENT_NAME = "agent.name"

_KINDS: Mapping[SpanKind, str] = {
    SpanKind.RUN: "AGENT",
    SpanKind.GENERATION: "LLM",
    SpanKind.MODEL_CALL: "LLM",
    SpanKind.TOOL: "TOOL",
    SpanKind.CALL: "CHAIN",
}
MAX_DOCUMENTS = 20  # of one search, four attributes each: the SDK keeps 128 attributes of a span


def found(span: SpanData, max_chars: int) -> Found:
    """None for what is not known. A `session.id` that the app set itself wins over the thread's id later."""
    facts = span.facts
    about: Found = {KIND: kind(span), SESSION: _conversation_id(facts)}
    if isinstance(facts, ToolFacts):
        call = facts.call
        return (
            about
            | values(call.arguments, messages.call_results(call), max_chars)
            | _documents(call.documents, max_chars)
        )
    if isinstance(facts, CallFacts):
        if facts.search is not None:
            about |= values("\n".join(facts.search.queries) or None, None, max_chars)
            about |= _documents(facts.search.documents, max_chars)
    elif span.kind is SpanKind.RUN:
        about[AGENT_NAME] = facts.agent.name if facts.agent is not None else None
        if facts.captured:
            asked = messages.plain(messages.last_asked(facts.inputs))
            about |= values(asked or None, messages.plain(facts.outputs) or None, max_chars)
    return about


def kind(span: SpanData) -> str:
    """A search of stored documents is one kind: as a tool of the run, or as a call of the app."""
    facts = span.facts
    is_tool = isinstance(facts, ToolFacts) and facts.call.type in SEARCHES
    return "RETRIEVER" if is_tool or span.operation == "retrieval" else _KINDS[span.kind]


def _documents(documents: Iterable[Document], max_chars: int) -> Found:
    """As Phoenix draws them: one card each, the best first."""
    about: Found = {}
    for n, document in enumerate(list(documents)[:MAX_DOCUMENTS]):
        prefix = f"retrieval.documents.{n}.document"
        about[f"{prefix}.id"] = document.file_id
        about[f"{prefix}.score"] = document.score
        about[f"{prefix}.content"] = document.text and cut(document.text, max_chars)
        about[f"{prefix}.metadata"] = document.file_name and _named(document.file_name)
    return about


def _named(file_name: str) -> str:
    """`{"file_name": ...}`: a search has many, and an encoder of its own for each would cost most of its span."""
    return f'{{"file_name":{encode_basestring(file_name)}}}'


def values(given: str | None, result: str | None, max_chars: int) -> Found:
    """A plain input and output: what lists show."""
    about: Found = {}
    for side, value in (("input", given), ("output", result)):
        if value is not None:
            about[f"{side}.value"] = fit_text(value, max_chars)
            about[f"{side}.mime_type"] = "application/json" if is_json(value) else "text/plain"
    return about


def _conversation_id(facts: RunFacts | ToolFacts | CallFacts) -> str | None:
    if isinstance(facts, RunFacts):
        return (facts.run.conversation_id or None) if facts.run else None
    return facts.conversation_id
