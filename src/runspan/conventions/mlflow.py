"""What MLflow reads first (its `tracing/otel/translation`), where the common set shows less.

It shows no `gen_ai.system_instructions`, and a chat only for messages in the shape of OpenAI's chat API; of costs it takes its own
key alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..core import transcript
from ..core.jsontext import dumps, fit
from ..core.model import OF_MODELS, USD, Message, Part, RunFacts, SpanData, ToolCall, Usage
from . import observed, openinference
from .backend_attributes import BackendAttributes
from .genai import Found
from .messages import call_results, shown

TYPE = "mlflow.spanType"
INPUTS, OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"
TOOLS = "mlflow.chat.tools"
TOKENS = "mlflow.chat.tokenUsage"
COST = "mlflow.llm.cost"

# The others are called as in OpenInference.
_TYPES: Mapping[str, str] = {"LLM": "CHAT_MODEL", "CHAIN": "TASK"}


def attributes(span: SpanData, max_chars: int) -> Found:
    facts = span.facts
    kind = openinference.kind(span)
    found: Found = {TYPE: _TYPES.get(kind, kind)}
    if span.kind in OF_MODELS and isinstance(facts, RunFacts) and facts.run is not None:
        found |= _numbers(facts)
        if facts.captured:
            found |= _chat(facts, max_chars)
    return found


def _numbers(facts: RunFacts) -> Found:
    usage, cost = facts.run.usage if facts.run else None, facts.cost
    return {
        TOKENS: None if usage is None else dumps(_usage(usage)),
        COST: dumps({"input_cost": cost.input, "output_cost": cost.output, "total_cost": cost.total})
        if cost is not None and cost.currency == USD
        else None,
    }


def _usage(usage: Usage) -> dict[str, int]:
    given, made = usage.prompt_tokens, usage.completion_tokens
    found = {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}
    of_cache = {
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
    }
    return found | {key: tokens for key, tokens in of_cache.items() if tokens is not None}


# ---------------------------------------------------------------- in the shape of the chat API


def _chat(facts: RunFacts, max_chars: int) -> Found:
    system = [{"role": "system", "content": text} for text in facts.instructions]
    asked = [message for m in facts.inputs for message in _messages(m)]
    answers = [message for m in facts.outputs for message in _messages(m)]
    choices = [
        {"index": i, "message": message, "finish_reason": facts.finish_reason}
        for i, message in enumerate(answers)
    ]
    functions = [tool for tool in (facts.run.tools if facts.run else ()) if tool.get("type") == "function"]
    return {
        INPUTS: _wrapped("messages", [*system, *asked], max_chars),
        OUTPUTS: _wrapped("choices", choices, max_chars),
        TOOLS: fit(functions, max_chars) if functions else None,
    }


def _wrapped(name: str, items: list[Any], max_chars: int) -> str | None:
    """`{"name": items}`, cut inside the items so that it stays valid."""
    whole = fit(items, max_chars - len(name) - 5) if items else None
    return whole and f'{{"{name}":{whole}}}'


def _messages(message: Message) -> Iterator[dict[str, Any]]:
    """One message; where it holds calls, one with them all and one for each of their results."""
    calls = [(p.type, p.call) for p in message.parts if p.call]
    asked = [call for kind, call in calls if kind in (transcript.CALL, transcript.SERVER_CALL)]
    answered = [call for kind, call in calls if kind in (transcript.RESPONSE, transcript.SERVER_RESPONSE)]
    if asked:
        yield {"role": "assistant", "content": None, "tool_calls": [_call(call) for call in asked]}
    for call in answered:
        yield {"role": "tool", "tool_call_id": call.id, "content": call_results(call) or ""}
    if not asked and not answered:
        yield _plain(message)


def _call(call: ToolCall) -> dict[str, Any]:
    """Its chat knows functions only; code is an argument then."""
    given = dumps({"code": call.arguments}) if call.type == "code_interpreter" else call.arguments
    function = {"name": call.name or call.type, "arguments": given or ""}
    return {"id": call.id, "type": "function", "function": function}


def _plain(message: Message) -> dict[str, Any]:
    """A text alone is the content; several parts are a list of them."""
    texts = [part.text for part in message.parts if part.text is not None]
    is_text = all(part.type in ("text", "refusal") for part in message.parts)
    return {
        "role": message.role,
        "content": "\n".join(texts) if is_text else [_part(p) for p in message.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    url = part.fields.get("url")
    if part.type == "image_url" and url:
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "text", "text": shown(part)}


# Of the app's own spans, it has OpenInference's words.
EXTRA = BackendAttributes(
    attributes, kinds={kind: {TYPE: words.openinference} for kind, words in observed.KINDS.items()}
)
