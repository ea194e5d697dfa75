"""Other senders' spans in the words of the GenAI conventions: one reader for the pages, the store and the terminal.

Each dialect is a table: its attribute -> ours. What a span says in the conventions' own words always wins, and nothing
of the span is changed: the words are added to a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runspan.viewer.messages import parse
from runspan.viewer.spans import Attributes, Span, Value

# what a sender calls a span -> gen_ai.operation.name, or the kind of OpenInference where there is no such operation
OPERATIONS: Mapping[str, str] = {
    "generation": "chat", "llm": "chat", "chat": "chat", "chat_model": "chat", "completion": "text_completion",
    "embedding": "embeddings", "agent": "invoke_agent", "tool": "execute_tool", "retriever": "retrieval",
    "workflow": "invoke_workflow",
}  # fmt: skip
KINDS: Mapping[str, str] = {
    "chain": "CHAIN", "task": "CHAIN", "span": "CHAIN", "evaluator": "EVALUATOR", "guardrail": "GUARDRAIL", "reranker": "RERANKER",
}  # fmt: skip
KIND_KEYS = (
    "langfuse.observation.type", "traceloop.span.kind", "llm.request.type", "mlflow.spanType", "langsmith.span.kind",
)  # fmt: skip
# a plain attribute -> ours, the first that is there
COPIES: Mapping[str, tuple[str, ...]] = {
    "gen_ai.request.model": ("langfuse.observation.model.name", "ai.model.id", "llm.model_name"),
    "gen_ai.agent.name": ("agent_name", "traceloop.entity.name"),
    "gen_ai.tool.name": ("tool.name", "traceloop.entity.name", "ai.toolCall.name"),
    "gen_ai.tool.call.arguments": ("tool_arguments", "tool.parameters", "ai.toolCall.args"),
    "gen_ai.tool.call.result": ("tool_response", "ai.toolCall.result"),
    "gen_ai.usage.input_tokens": ("ai.usage.promptTokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "gen_ai.usage.output_tokens": ("ai.usage.completionTokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "session.id": ("langfuse.session.id", "traceloop.association.properties.session_id"),
    "user.id": ("langfuse.user.id", "traceloop.association.properties.user_id"),
    "input.value": ("langfuse.observation.input", "langfuse.trace.input", "traceloop.entity.input", "mlflow.spanInputs"),
    "output.value": (
        "langfuse.observation.output", "langfuse.trace.output", "traceloop.entity.output", "mlflow.spanOutputs", "final_result",
    ),
}  # fmt: skip
ONLY_FOR: Mapping[str, str] = {"gen_ai.agent.name": "invoke_agent", "gen_ai.tool.name": "execute_tool"}
# attributes with messages, of a model call
INPUTS = (
    "langfuse.observation.input",
    "ai.prompt.messages",
    "pydantic_ai.all_messages",
    "gen_ai.prompt",
    "mlflow.spanInputs",
)
OUTPUTS = ("langfuse.observation.output", "gen_ai.completion", "mlflow.spanOutputs")
HINTS = (
    "langfuse.", "traceloop.", "llm.", "gen_ai.usage.prompt_tokens", "request_data", "response_data", "ai.", "mlflow.",
    "langsmith.", "agent_name", "tool_arguments", "tool_response", "tool.", "final_result", "pydantic_ai.",
    "gen_ai.prompt", "gen_ai.completion",
)  # fmt: skip


def normal(span: Span) -> Span:
    """The span with what other senders' attributes say, in our words; itself where there are none of them."""
    attributes = span.attributes
    if not any(key.startswith(HINTS) for key in attributes):
        return span
    found = _operation(attributes)
    operation = attributes.get("gen_ai.operation.name") or found.get("gen_ai.operation.name")
    for key, names in COPIES.items():
        if ONLY_FOR.get(key, operation) == operation and (value := _first(attributes, names)) is not None:
            found[key] = _plain(value)
    if operation in ("chat", "text_completion"):
        for read in (_messages, _langfuse, _vercel):
            found.update(read(attributes))
    for key, value in _logfire(attributes).items():
        found.setdefault(key, value)
    return replace(span, attributes={**found, **attributes}) if found else span


def _operation(attributes: Attributes) -> dict[str, Value]:
    for key in KIND_KEYS:
        name = str(attributes.get(key) or "").lower()
        if name in OPERATIONS:
            return {"gen_ai.operation.name": OPERATIONS[name]}
        if name in KINDS:
            return {"openinference.span.kind": KINDS[name]}
    if "ai.toolCall.name" in attributes:
        return {"gen_ai.operation.name": "execute_tool"}
    if (
        str(attributes.get("ai.operationId", "")).endswith((".doGenerate", ".doStream"))
        or "request_data" in attributes
    ):
        is_call = "messages" in str(attributes.get("request_data", "messages"))
        return {"gen_ai.operation.name": "chat"} if is_call else {}
    return {}


def _first(attributes: Attributes, names: tuple[str, ...]) -> Value:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def _plain(value: Value) -> Value:
    """A JSON string as its text; other JSON stays as it was sent."""
    if isinstance(value, str) and value[:1] == '"':
        inner = parse(value)
        return inner if isinstance(inner, str) else value
    return value


def _messages(attributes: Attributes) -> dict[str, Value]:
    sides: Mapping[str, tuple[tuple[str, ...], str]] = {
        "gen_ai.input.messages": (INPUTS, "user"),
        "gen_ai.output.messages": (OUTPUTS, "assistant"),
    }
    found: dict[str, Value] = {}
    for key, (names, role) in sides.items():
        if said := _said(parse(_first(attributes, names)), role):
            found[key] = said
    return found


def _said(data: Any, role: str) -> list[Value]:
    """Messages in whatever form a sender gave them: a list, a request with `messages`, a response with `choices`, a text."""
    if isinstance(data, dict):
        for key in ("messages", "input", "choices", "message"):
            if key in data:
                return _said(data[key], role)
        data = [data]
    if isinstance(data, str) and data:
        return [{"role": role, "content": data}]
    if not isinstance(data, list):
        return []
    items = [item.get("message", item) if isinstance(item, dict) else item for item in data]
    return [
        item if isinstance(item, dict) and "role" in item else {"role": role, "content": item}
        for item in items
    ]


def _langfuse(attributes: Attributes) -> dict[str, Value]:
    usage, cost = (
        parse(attributes.get(f"langfuse.observation.{name}")) for name in ("usage_details", "cost_details")
    )
    found: dict[str, Value] = {}
    if isinstance(usage, dict):
        names = {
            "gen_ai.usage.input_tokens": ("input", "prompt_tokens"),
            "gen_ai.usage.output_tokens": ("output", "completion_tokens"),
            "gen_ai.usage.cache_read.input_tokens": ("input_cached_tokens", "cache_read_input_tokens"),
            "gen_ai.usage.reasoning.output_tokens": ("output_reasoning_tokens",),
        }
        for key, candidates in names.items():
            if (value := _first(usage, candidates)) is not None:
                found[key] = value
    if isinstance(cost, dict) and (total := cost.get("total")) is not None:
        found["gen_ai.usage.cost"] = total
    return found


def _vercel(attributes: Attributes) -> dict[str, Value]:
    text = attributes.get("ai.response.text")
    return {"gen_ai.output.messages": [{"role": "assistant", "content": text}]} if text else {}


def _logfire(attributes: Attributes) -> dict[str, Value]:
    request, response = (parse(attributes.get(name)) for name in ("request_data", "response_data"))
    found: dict[str, Value] = {}
    if isinstance(request, dict):
        if said := _said(request.get("messages", request.get("input")), "user"):
            found["gen_ai.input.messages"] = said
        if isinstance(model := request.get("model"), str):
            found["gen_ai.request.model"] = model
    if isinstance(response, dict) and (
        said := _said(response.get("message", response.get("combined_chunk_content")), "assistant")
    ):
        found["gen_ai.output.messages"] = said
    return found
