"""Backends that want one thing more."""

from __future__ import annotations

from collections.abc import Iterable

from ..core import transcript
from ..core.model import OF_MODELS, Message, Part, RunFacts, SpanData
from . import messages, openinference
from .backend_attributes import BackendAttributes
from .genai import Found

REASONING = "llm.token_count.completion_details.reasoning"
COST = "operation.cost"


def phoenix(span: SpanData, max_chars: int) -> Found:
    """It converts `gen_ai.usage.*` and messages, all but these: reasoning tokens, and what its lists and sessions show of a span.

    Not for all: to Langfuse each `llm.token_count.*` is one bucket more, and a plain input hides the messages there and in MLflow.
    """
    facts = span.facts
    if span.kind not in OF_MODELS or not isinstance(facts, RunFacts) or facts.run is None:
        return {}
    usage = facts.run.usage
    found: Found = {REASONING: usage.reasoning_tokens if usage else None}
    if facts.captured:
        asked = messages.last_asked(facts.inputs) or facts.inputs
        found |= openinference.values(_plain(asked), _plain(facts.outputs), max_chars)
    return found


def _plain(of: Iterable[Message]) -> str | None:
    """The texts, else the calls of functions or their results, one a line."""
    of = list(of)
    calls = (_call(part) for message in of for part in message.parts)
    return messages.plain(of) or "\n".join(call for call in calls if call) or None


def _call(part: Part) -> str | None:
    call = part.call
    if call is None:
        return None
    if part.type in (transcript.RESPONSE, transcript.SERVER_RESPONSE):
        return messages.call_results(call)
    return f"{call.name or call.type}({call.arguments or ''})"


def logfire(span: SpanData, _: int) -> Found:
    """A number by this name is the cost, whatever else is there."""
    facts = span.facts
    if span.kind not in OF_MODELS or not isinstance(facts, RunFacts) or facts.cost is None:
        return {}
    return {COST: facts.cost.total}


PHOENIX, LOGFIRE = BackendAttributes(phoenix), BackendAttributes(logfire)
