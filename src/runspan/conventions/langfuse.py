"""What Langfuse reads first (its `otel/OtelIngestionProcessor.ts`), where the common set says it less exactly.

It drops model, usage and cost on every `invoke_agent` span, so they stand on the generation alone. Its buckets of usage and cost do
not overlap: cached and reasoning tokens are taken out of `input` and `output`. It takes every `llm.token_count.*` for a bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from ..core.jsontext import dumps, fit
from ..core.model import OF_MODELS, OF_RUNS, USD, Cost, Outcome, RunFacts, SpanData, Usage
from . import genai, observed, openinference
from .backend_attributes import BackendAttributes, each
from .genai import Found

TYPE = "langfuse.observation.type"
LEVEL = "langfuse.observation.level"
STATUS_MESSAGE = "langfuse.observation.status_message"
MODEL = "langfuse.observation.model.name"
PARAMETERS = "langfuse.observation.model.parameters"
USAGE = "langfuse.observation.usage_details"
COST = "langfuse.observation.cost_details"
FIRST_CHUNK = "langfuse.observation.completion_start_time"
METADATA = "langfuse.observation.metadata"

# The others are called as in OpenInference.
_TYPES: Mapping[str, str] = {"LLM": "generation", "CHAIN": "span"}


def attributes(span: SpanData, max_chars: int) -> Found:
    facts = span.facts
    kind = openinference.kind(span)
    found: Found = {TYPE: _TYPES.get(kind, kind.lower())}
    if isinstance(facts, RunFacts):
        if span.kind in OF_RUNS:
            found |= _run(facts)
        if span.kind in OF_MODELS:
            found |= _generation(facts, max_chars)
    return found


def _run(facts: RunFacts) -> Found:
    """An end that is no error but not what was asked for is a warning; errors show by the span's status."""
    run = facts.run
    reason = facts.unfinished and f"unfinished: {facts.unfinished}"
    if run is not None and run.outcome is Outcome.INCOMPLETE:
        reason = f"incomplete: {run.incomplete_reason or 'reason not told'}"
    said: Found = {LEVEL: "WARNING", STATUS_MESSAGE: reason} if reason else {}
    metadata = run.metadata if run is not None else {}
    return {**said, **each(METADATA, metadata)}


def _generation(facts: RunFacts, max_chars: int) -> Found:
    run = facts.run
    if run is None:
        return {}
    settings = {**facts.request.settings, **run.settings}
    return {
        MODEL: run.model or genai.request_model(facts),
        PARAMETERS: fit(settings, max_chars) if settings else None,
        USAGE: None if run.usage is None else dumps(_usage(run.usage)),
        COST: _cost(facts.cost),
        FIRST_CHUNK: None if facts.first_chunk_ns is None else _iso(facts.first_chunk_ns),
    }


def _usage(usage: Usage) -> dict[str, int]:
    cached, reasoning = usage.cached_tokens or 0, usage.reasoning_tokens or 0
    buckets = {
        "input": max(usage.prompt_tokens - cached, 0),
        "input_cached_tokens": cached,
        "output": max(usage.completion_tokens - reasoning, 0),
        "output_reasoning_tokens": reasoning,
    }
    known = {key: count for key, count in buckets.items() if count or key in ("input", "output")}
    return {**known, "total": usage.prompt_tokens + usage.completion_tokens}


def _cost(cost: Cost | None) -> str | None:
    """It counts in US dollars only."""
    if cost is None or cost.currency != USD:
        return None
    return dumps({"input": cost.input, "output": cost.output, "total": cost.total})


def _iso(at_ns: int) -> str:
    """As JavaScript's Date reads it."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    day = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{day}.{rest_ns // 1_000_000:03d}Z"


EXTRA = BackendAttributes(
    attributes,
    kinds={kind: {TYPE: kind} for kind in observed.KINDS},  # Langfuse has the same words
    twins={observed.TAGS: "langfuse.trace.tags", observed.TRACE_NAME: "langfuse.trace.name"},
    metadata=METADATA,
    trace_metadata="langfuse.trace.metadata",
)
