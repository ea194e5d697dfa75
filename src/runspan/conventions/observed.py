"""Spans of the app's own functions: each kind's word in each convention.

`gen_ai.operation.name` only where the thing truly is one of the conventions' operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from . import genai, openinference

TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Words:
    """What a kind is called. `prefix` stands before the name of the span, as the GenAI conventions have it."""

    openinference: str
    operation: str | None = None
    prefix: str = ""
    subject: str | None = None  # the attribute that holds the bare name
    attributes: Mapping[str, str] = field(default_factory=dict)


# The keys of KINDS, for type checkers.
Kind = Literal[
    "span", "chain", "agent", "tool", "retriever", "generation", "embedding", "evaluator", "guardrail"
]
KINDS: Mapping[str, Words] = {
    "span": Words("CHAIN"),
    "chain": Words("CHAIN"),
    "agent": Words("AGENT", "invoke_agent", "invoke_agent ", genai.AGENT_NAME),
    TOOL: Words(
        "TOOL", "execute_tool", "execute_tool ", "gen_ai.tool.name", {"gen_ai.tool.type": "function"}
    ),
    "retriever": Words("RETRIEVER", "retrieval"),
    "generation": Words("LLM", "chat"),
    "embedding": Words("EMBEDDING", "embeddings"),
    "evaluator": Words("EVALUATOR"),
    "guardrail": Words("GUARDRAIL"),
}

INPUT, INPUT_TYPE = "input.value", "input.mime_type"
OUTPUT, OUTPUT_TYPE = "output.value", "output.mime_type"
ARGUMENTS, RESULT, CALL_ID = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.call.id"
JSON, TEXT = "application/json", "text/plain"

USER = "user.id"
TAGS = "tag.tags"
METADATA = "metadata"
TRACE_NAME = "runspan.trace.name"
CANCELLED = "runspan.cancelled"
OMITTED_ITEMS = "runspan.output.omitted_items"

EVALUATION = "gen_ai.evaluation.result"
EVALUATION_NAME = "gen_ai.evaluation.name"
SCORE_VALUE = "gen_ai.evaluation.score.value"
SCORE_LABEL = "gen_ai.evaluation.score.label"
EXPLANATION = "gen_ai.evaluation.explanation"
SCORED_TRACE = "runspan.score.trace_id"  # 32 hex digits, where no span of that trace is known to link to


def span_name(kind: str, name: str) -> str:
    return KINDS[kind].prefix + name


def attributes(kind: str, name: str) -> dict[str, str]:
    """What is known of a span before it begins."""
    words = KINDS[kind]
    found = {openinference.KIND: words.openinference, **words.attributes}
    if words.operation is not None:
        found[genai.OPERATION] = words.operation
    if words.subject is not None:
        found[words.subject] = name
    return found
