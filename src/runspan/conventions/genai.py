"""OpenTelemetry GenAI semantic conventions (status Development, as of late 2026), plus our own `runspan.*` keys.

Plain strings of our own: the packaged constants are frozen and deprecated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.jsontext import dumps, fit, fit_json, fit_text
from ..core.model import (
    OF_MODELS,
    OF_RUNS,
    USD,
    CallFacts,
    Cost,
    RunFacts,
    Search,
    Server,
    SpanData,
    Stored,
    ToolCall,
    ToolFacts,
    Usage,
)
from ..core.redact import clean
from ..core.tools import SEARCHES
from . import messages

Value = str | int | float | bool | list[str]
Found = dict[str, Value | None]

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
AGENT_ID = "gen_ai.agent.id"
AGENT_NAME = "gen_ai.agent.name"
DATA_SOURCE = "gen_ai.data_source.id"
CONVERSATION = "gen_ai.conversation.id"
RESPONSE_ID = "gen_ai.response.id"
ERROR_TYPE = "error.type"
API = "runspan.api"
TOOL_NAME = "gen_ai.tool.name"
TOOL_RESULT = "gen_ai.tool.call.result"
DOCUMENTS = "gen_ai.retrieval.documents"
# Before the name of an attribute whose value was cut: how long it was, in characters.
ORIGINAL_LENGTH = "runspan.original_length."

# Run and request settings under the names the conventions have for them; the others stay in our own namespace.
_SETTINGS: Mapping[str, str] = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "reasoning_effort": "gen_ai.request.reasoning.level",
    "max_prompt_tokens": "runspan.request.max_prompt_tokens",
    "parallel_tool_calls": "runspan.request.parallel_tool_calls",
    "tool_choice": "runspan.request.tool_choice",
    "truncation_strategy": "runspan.request.last_messages",
    "max_tool_calls": "runspan.request.max_tool_calls",
    "background": "runspan.request.background",
    "completion_window": "runspan.request.completion_window",
    "service_tier": "openai.request.service_tier",
    "served_tier": "openai.response.service_tier",
}
_OUTPUT_TYPES: Mapping[str, str] = {"text": "text", "json_object": "json", "json_schema": "json"}
_TOOL_TYPES: Mapping[str, str] = {"function": "function", **dict.fromkeys(SEARCHES, "datastore")}


def name(span: SpanData) -> str:
    """`{operation} {subject}`, the bare operation where the subject is not known."""
    facts = span.facts
    subject: str | None = None
    if isinstance(facts, ToolFacts):
        subject = facts.call.name
    elif span.kind in OF_MODELS and isinstance(facts, RunFacts):
        subject = request_model(facts)
    elif isinstance(facts, CallFacts) and facts.stored is not None:
        subject = facts.stored.store_id if span.operation == "retrieval" else None
    elif facts.agent is not None and span.operation in ("invoke_agent", "create_agent", "update_agent"):
        subject = facts.agent.name
    return clean(f"{span.operation} {subject}" if subject else span.operation)


def attributes(span: SpanData, max_chars: int) -> dict[str, Value]:
    """Every attribute whose value is known; texts fit into `max_chars` characters each."""
    return {key: value for key, value in found(span, max_chars).items() if value is not None}


def found(span: SpanData, max_chars: int) -> Found:
    """The same, with None for what is not known."""
    facts = span.facts
    operation: Found = {OPERATION: span.operation, ERROR_TYPE: span.error.code if span.error else None}
    if isinstance(facts, ToolFacts):
        return operation | _tool(facts, max_chars)
    if isinstance(facts, CallFacts):
        return operation | _call(facts, max_chars)
    if span.kind in OF_RUNS:
        operation |= _run(facts, max_chars)
    return operation | _generation(facts, max_chars) if span.kind in OF_MODELS else operation


def server(of: Server) -> Found:
    return {"server.address": of.host, "server.port": of.port}


# ---------------------------------------------------------------- one function per kind of span


def _common(facts: RunFacts) -> Found:
    run = facts.run
    return {
        PROVIDER: facts.server.provider,
        REQUEST_MODEL: request_model(facts),
        "gen_ai.response.finish_reasons": [facts.finish_reason] if facts.finish_reason is not None else None,
        CONVERSATION: (run.conversation_id or None) if run else None,
        RESPONSE_ID: (run.id or None) if run else None,
    }


def _run(facts: RunFacts, max_chars: int) -> Found:
    said, agent = _common(facts), facts.agent
    if agent is not None:
        said |= {AGENT_ID: agent.id, AGENT_NAME: agent.name, "gen_ai.agent.description": agent.description}
    said[DATA_SOURCE] = facts.data_source_id
    said |= server(facts.server)
    said[API] = facts.api
    said["runspan.run.unfinished"] = facts.unfinished
    said["runspan.run.missing"] = list(facts.missing) or None
    said["runspan.run.origin"] = facts.origin
    run = facts.run
    if run is None or not run.id:
        return said
    of_assistant = agent.file_ids if agent else ()  # of the API's first version
    return said | {
        "runspan.run.id": run.id,
        "runspan.run.status": run.status,
        "runspan.run.incomplete_reason": run.incomplete_reason,
        "runspan.run.queue_s": facts.queue_s,
        "runspan.run.active_s": facts.active_s,
        "runspan.run.tool_wait_s": facts.tool_wait_s,
        "runspan.run.detection_lag_s": facts.detection_lag_s,
        "runspan.run.end_uncertainty_s": facts.end_uncertainty_s,
        "runspan.run.polls": facts.polls,
        "runspan.run.created_at": run.created_at,
        "runspan.run.started_at": run.started_at,
        "runspan.run.ended_at": run.ended_at,
        "runspan.run.file_ids": list(run.file_ids or of_assistant) or None,
        "runspan.run.metadata": fit(dict(run.metadata), max_chars) if run.metadata else None,
    }


def _generation(facts: RunFacts, max_chars: int) -> Found:
    said, run = _common(facts), facts.run
    if run is None:
        return said
    settings: Mapping[str, Any] = {**facts.request.settings, **run.settings}
    said["gen_ai.response.model"] = run.model
    said |= _usage(run.usage)
    said |= _cost(facts.cost)
    said["gen_ai.response.time_to_first_chunk"] = facts.first_chunk_s
    said["gen_ai.request.stream"] = facts.request.stream or None
    for key, value in settings.items():
        if key in _SETTINGS:
            said[_SETTINGS[key]] = value
    said["gen_ai.output.type"] = _OUTPUT_TYPES.get(settings.get("response_format", ""))
    if not facts.captured:
        return said
    instructions = [{"type": "text", "content": t} for t in facts.instructions]
    answers = messages.answers(facts.outputs, facts.finish_reason)
    return {
        **said,
        **_json("gen_ai.system_instructions", instructions, max_chars, facts.instructions_length),
        **_json("gen_ai.input.messages", [messages.message(m) for m in facts.inputs], max_chars),
        "runspan.input.omitted_messages": facts.omitted_inputs or None,
        "runspan.input.incomplete": not facts.has_all_inputs or None,  # older messages may be missing
        **_json("gen_ai.output.messages", answers, max_chars),
        **_json("gen_ai.tool.definitions", messages.definitions(run.tools), max_chars),
    }


def _tool(facts: ToolFacts, max_chars: int) -> Found:
    call, usage = facts.call, facts.usage
    length = call.original_length
    return {
        CONVERSATION: facts.conversation_id,
        TOOL_NAME: call.name,
        "gen_ai.tool.type": tool_type(call),
        "gen_ai.tool.call.id": call.id or None,
        "gen_ai.tool.description": facts.description,
        **_text("gen_ai.tool.call.arguments", call.arguments, max_chars, length.get("arguments")),
        "runspan.tool.arguments.incomplete": call.is_incomplete or None,
        **_result(call, max_chars),
        DATA_SOURCE: facts.data_source_id,
        "runspan.step.id": facts.step_id,
        "runspan.step.status": facts.step_status,
        "runspan.tool.untimed": facts.is_untimed or None,
        # A part of the Run's: under our own names, so that nobody counts it twice.
        "runspan.step.usage.input_tokens": usage.prompt_tokens if usage else None,
        "runspan.step.usage.output_tokens": usage.completion_tokens if usage else None,
    }


def _result(call: ToolCall, max_chars: int) -> Found:
    if call.outputs:
        return _json(TOOL_RESULT, messages.code_outputs(call), max_chars)
    if call.documents:
        return {
            **_json(TOOL_RESULT, messages.search_results(call.documents), max_chars),
            **_json(DOCUMENTS, messages.retrieval_documents(call.documents), max_chars),
        }
    return _text(TOOL_RESULT, call.output, max_chars, call.original_length.get("output"))


def _call(facts: CallFacts, max_chars: int) -> Found:
    agent = facts.agent
    return {
        PROVIDER: facts.server.provider,
        REQUEST_MODEL: facts.model,
        AGENT_ID: (agent.id or None) if agent else None,
        AGENT_NAME: agent.name if agent else None,
        CONVERSATION: facts.conversation_id,
        "runspan.run.id": facts.run_id,
        "runspan.message.id": facts.message_id,
        **server(facts.server),
        **(_stored(facts.stored) if facts.stored is not None else {}),
        "runspan.indexing.polls": facts.polls,
        "runspan.indexing.uploads": facts.uploads,
        **(_search(facts.search, max_chars) if facts.search is not None else {}),
    }


def _stored(stored: Stored) -> Found:
    return {
        DATA_SOURCE: stored.store_id,
        "runspan.vector_store.name": stored.store_name,
        "runspan.file.id": stored.file_id,
        "runspan.file.name": stored.file_name,
        "runspan.file.bytes": stored.file_bytes,
        "runspan.file.purpose": stored.purpose,
        "runspan.file_batch.id": stored.batch_id,
        "runspan.indexing.status": stored.status,
        **{f"runspan.indexing.files.{status}": count for status, count in stored.counts.items()},
    }


def _search(search: Search, max_chars: int) -> Found:
    return {
        "gen_ai.retrieval.query.text": "\n".join(search.queries) or None,
        "gen_ai.retrieval.top_k": search.top_k,
        **_json(DOCUMENTS, messages.retrieval_documents(search.documents), max_chars),
    }


# ---------------------------------------------------------------- pieces


def request_model(facts: RunFacts) -> str | None:
    """What the app asked for, else what the Run says, else what the assistant is set to."""
    asked = facts.request.model or (facts.run.model if facts.run else None)
    return asked or (facts.agent.model if facts.agent else None)


def tool_type(call: ToolCall) -> str:
    return _TOOL_TYPES.get(call.type, "extension")


def _usage(usage: Usage | None) -> Found:
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }


def _cost(cost: Cost | None) -> Found:
    if cost is None:
        return {}
    return {
        # No convention has it; who reads this key reads dollars.
        "gen_ai.usage.cost": cost.total if cost.currency == USD else None,
        "runspan.cost.total": cost.total,
        "runspan.cost.currency": cost.currency,
        "runspan.cost.source": cost.source,
        "runspan.cost.prices_date": cost.date,
        "runspan.cost.assumed": list(cost.assumed) or None,
    }


def _json(key: str, value: list[Any], max_chars: int, original_length: int | None = None) -> Found:
    """A list as JSON; with its length where it did not fit, or was cut before."""
    if not value:
        return {}
    whole = dumps(value)
    if len(whole) <= max_chars:
        return {key: whole, ORIGINAL_LENGTH + key: original_length} if original_length else {key: whole}
    return {key: fit_json(value, whole, max_chars), ORIGINAL_LENGTH + key: original_length or len(whole)}


def _text(key: str, text: str | None, max_chars: int, original_length: int | None) -> Found:
    """A text, with its length where it was cut, here or before."""
    if text is None:
        return {}
    if len(text) <= max_chars and not original_length:
        return {key: text}
    return {key: fit_text(text, max_chars), ORIGINAL_LENGTH + key: original_length or len(text)}
