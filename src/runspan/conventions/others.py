"""Backends that want one thing more."""

from __future__ import annotations

from ..core.model import OF_MODELS, RunFacts, SpanData
from .backend_attributes import BackendAttributes
from .genai import Value

REASONING = "llm.token_count.completion_details.reasoning"
COST = "operation.cost"


def phoenix(span: SpanData, _: int) -> dict[str, Value]:
    """It converts `gen_ai.usage.*`, all but this one. Not for all: to Langfuse each `llm.token_count.*` is one bucket more."""
    facts = span.facts
    if span.kind not in OF_MODELS or not isinstance(facts, RunFacts) or facts.run is None:
        return {}
    usage = facts.run.usage
    return {REASONING: usage.reasoning_tokens} if usage and usage.reasoning_tokens is not None else {}


def logfire(span: SpanData, _: int) -> dict[str, Value]:
    """A number by this name is the cost, whatever else is there."""
    facts = span.facts
    if span.kind not in OF_MODELS or not isinstance(facts, RunFacts) or facts.cost is None:
        return {}
    return {COST: facts.cost.total}


PHOENIX, LOGFIRE = BackendAttributes(phoenix), BackendAttributes(logfire)
