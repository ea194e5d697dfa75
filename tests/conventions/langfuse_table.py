"""What Langfuse makes of a span, by the mapping of its server (langfuse/langfuse 62751446, packages/shared/src/server/otel).

Langfuse can't run where the tests run, so its table stands here in our words: each field with the attributes it is read from, the
first that is set wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Attributes = Mapping[str, Any]

TYPES = ("langfuse.observation.type", "openinference.span.kind", "gen_ai.operation.name")
TYPE_WORDS: Mapping[str, Mapping[str, str]] = {
    "langfuse.observation.type": {
        word: word
        for word in (
            [
                "span",
                "generation",
                "event",
                "embedding",
                "agent",
                "tool",
                "chain",
                "retriever",
                "guardrail",
                "evaluator",
            ]
        )
    },
    "openinference.span.kind": {
        "CHAIN": "chain",
        "RETRIEVER": "retriever",
        "LLM": "generation",
        "EMBEDDING": "embedding",
        "AGENT": "agent",
        "TOOL": "tool",
        "GUARDRAIL": "guardrail",
        "EVALUATOR": "evaluator",
    },
    "gen_ai.operation.name": {
        **dict.fromkeys(
            ("chat", "completion", "text_completion", "generate_content", "generate"), "generation"
        ),
        "embeddings": "embedding",
        "invoke_agent": "agent",
        "create_agent": "agent",
        "execute_tool": "tool",
    },
}
NAMES = ("gen_ai.tool.name", "logfire.msg")
MODELS = (
    "langfuse.observation.model.name",
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.response.model",
    "llm.model_name",
    "model",
)
PARAMETERS = ("langfuse.observation.model.parameters", "llm.invocation_parameters", "model_config")
USAGE_WORDS = {
    "input_tokens": "input",
    "prompt": "input",
    "output_tokens": "output",
    "completion": "output",
    "total_tokens": "total",
}
PARTS = {
    "cache_read.input_tokens": ("input", "input_cached_tokens"),
    "cache_creation.input_tokens": ("input", "input_cache_creation"),
    "reasoning.output_tokens": ("output", "output_reasoning_tokens"),
}
INPUTS = (
    "langfuse.observation.input",
    "mlflow.spanInputs",
    "traceloop.entity.input",
    "input.value",
    "gen_ai.prompt",
    "llm.input_messages",
    "gen_ai.input.messages",
    "gen_ai.tool.call.arguments",
)
OUTPUTS = (
    "langfuse.observation.output",
    "mlflow.spanOutputs",
    "traceloop.entity.output",
    "output.value",
    "gen_ai.completion",
    "llm.output_messages",
    "gen_ai.output.messages",
    "gen_ai.tool.call.result",
)
SESSIONS = ("langfuse.session.id", "session.id", "gen_ai.conversation.id")
USERS = ("langfuse.user.id", "user.id")
TAGS = ("langfuse.trace.tags", "langfuse.tags", "tag.tags")
ENVIRONMENTS = ("langfuse.environment", "deployment.environment.name", "deployment.environment")
VERSIONS = ("langfuse.version", "service.version")
WITHOUT_USAGE = ("invoke_agent", "agent_step")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One observation as Langfuse has it, with what it says of the trace."""

    type: str
    name: str
    model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    input: Any = None
    output: Any = None
    session: str | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
    level: str = "DEFAULT"
    status_message: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    trace_metadata: Mapping[str, Any] = field(default_factory=dict)
    trace_name: str | None = None
    environment: str | None = None
    version: str | None = None
    completion_start: str | None = None


def shown(
    name: str,
    attributes: Attributes,
    *,
    resource: Attributes | None = None,
    error: str | None = None,  # of the span's status, "" for one without words
) -> Shown:
    has_usage = attributes.get("gen_ai.operation.name") not in WITHOUT_USAGE
    both = {**(resource or {}), **attributes}
    return Shown(
        type=_type(attributes),
        name=_first(attributes, NAMES) or name,
        model=_first(attributes, MODELS) if has_usage else None,
        parameters=_parameters(attributes),
        usage=_usage(attributes) if has_usage else {},
        cost=_cost(attributes) if has_usage else {},
        input=_input(attributes),
        output=_json(_first(attributes, OUTPUTS)),
        session=_first(attributes, SESSIONS),
        user=_first(attributes, USERS),
        tags=_tags(_first(attributes, TAGS)),
        level=attributes.get("langfuse.observation.level") or ("DEFAULT" if error is None else "ERROR"),
        status_message=attributes.get("langfuse.observation.status_message") or error or None,
        metadata=_metadata(attributes, "langfuse.observation.metadata"),
        trace_metadata={
            **_metadata(attributes, "langfuse.metadata"),
            **_metadata(attributes, "langfuse.trace.metadata"),
        },
        trace_name=attributes.get("langfuse.trace.name"),
        environment=_first(both, ENVIRONMENTS),
        version=_first(both, VERSIONS),
        completion_start=attributes.get("langfuse.observation.completion_start_time"),
    )


def _first(attributes: Attributes, keys: tuple[str, ...]) -> Any:
    return next((attributes[key] for key in keys if attributes.get(key) not in (None, "")), None)


def _type(attributes: Attributes) -> str:
    for key in TYPES:
        if found := TYPE_WORDS[key].get(attributes.get(key, "")):
            return found
    if attributes.get("gen_ai.tool.name") or attributes.get("gen_ai.tool.call.id"):
        return "tool"
    return "generation" if _first(attributes, MODELS) else "span"


def _parameters(attributes: Attributes) -> Mapping[str, Any]:
    given = _first(attributes, PARAMETERS)
    prefix = "gen_ai.request."
    of_request = {
        key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)
    }
    return dict(json.loads(given)) if given else of_request


def _usage(attributes: Attributes) -> Mapping[str, int]:
    """Parts are taken out of their totals: the buckets do not overlap."""
    given = attributes.get("langfuse.observation.usage_details")
    if given:
        return dict(json.loads(given))
    found: dict[str, int] = {}
    for key, value in attributes.items():
        for prefix in ("gen_ai.usage.", "llm.token_count."):
            is_number = isinstance(value, int | float)
            if key.startswith(prefix) and key != "gen_ai.usage.cost" and is_number:
                name = key.removeprefix(prefix)
                found[USAGE_WORDS.get(name, name)] = value
    for name, (whole, bucket) in PARTS.items():
        if name in found:
            found[bucket] = found.pop(name)
            found[whole] = max(found.get(whole, 0) - found[bucket], 0)
    return found


def _cost(attributes: Attributes) -> Mapping[str, float]:
    given = attributes.get("langfuse.observation.cost_details")
    if given:
        return dict(json.loads(given))
    total = _first(attributes, ("gen_ai.usage.cost", "llm.cost.total"))
    return {} if total is None else {"total": total}


def _input(attributes: Attributes) -> Any:
    found = _json(_first(attributes, INPUTS))
    system = attributes.get("gen_ai.system_instructions")
    if system and found is not None and found == _json(attributes.get("gen_ai.input.messages")):
        return [{"role": "system", "parts": json.loads(system)}, *found]
    return found


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _tags(value: Any) -> tuple[str, ...]:
    """A list, a JSON list or words between commas."""
    value = _json(value)
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",")]
    return tuple(value or ())


def _metadata(attributes: Attributes, prefix: str) -> Mapping[str, Any]:
    whole = _json(attributes.get(prefix))
    each = {k.removeprefix(f"{prefix}."): v for k, v in attributes.items() if k.startswith(f"{prefix}.")}
    return {**(whole if isinstance(whole, dict) else {}), **each}
