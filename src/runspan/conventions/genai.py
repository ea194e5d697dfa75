"""OpenTelemetry GenAI semantic conventions (status Development, as of late 2026), plus our own `runspan.*` keys.

Plain strings of our own: the packaged constants are frozen and deprecated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..core.jsontext import dumps, fit, fit_json, fit_text
from ..core.model import (
    USD,
    CallFacts,
    Cost,
    RunFacts,
    Search,
    Server,
    SpanData,
    SpanKind,
    Stored,
    ToolCall,
    ToolFacts,
    Usage,
)
from ..core.redact import clean
from . import messages

Value = str | int | float | bool | list[str]
Pairs = Iterator[tuple[str, Value | None]]

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
AGENT_ID = "gen_ai.agent.id"
AGENT_NAME = "gen_ai.agent.name"
DATA_SOURCE = "gen_ai.data_source.id"
CONVERSATION = "gen_ai.conversation.id"
RESPONSE_ID = "gen_ai.response.id"
ERROR_TYPE = "error.type"
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
}
_OUTPUT_TYPES: Mapping[str, str] = {"text": "text", "json_object": "json", "json_schema": "json"}
_TOOL_TYPES: Mapping[str, str] = {
    "function": "function",
    "file_search": "datastore",
    "retrieval": "datastore",
}


def name(span: SpanData) -> str:
    """`{operation} {subject}`, the bare operation where the subject is not known."""
    facts = span.facts
    subject: str | None = None
    if isinstance(facts, ToolFacts):
        subject = facts.call.name
    elif span.kind is SpanKind.GENERATION and isinstance(facts, RunFacts):
        subject = request_model(facts)
    elif isinstance(facts, CallFacts) and facts.stored is not None:
        subject = facts.stored.store_id if span.operation == "retrieval" else None
    elif facts.assistant is not None and span.operation in ("invoke_agent", "create_agent", "update_agent"):
        subject = facts.assistant.name
    return clean(f"{span.operation} {subject}" if subject else span.operation)


def attributes(span: SpanData, max_chars: int) -> dict[str, Value]:
    """Every attribute whose value is known; texts fit into `max_chars` characters each."""
    return {key: value for key, value in _pairs(span, max_chars) if value is not None}


def _pairs(span: SpanData, max_chars: int) -> Pairs:
    yield OPERATION, span.operation
    if span.error is not None:
        yield ERROR_TYPE, span.error.code
    facts = span.facts
    if isinstance(facts, ToolFacts):
        yield from _tool(facts, max_chars)
    elif isinstance(facts, CallFacts):
        yield from _call(facts, max_chars)
    else:
        yield from (_run if span.kind is SpanKind.RUN else _generation)(facts, max_chars)


def server(of: Server) -> Pairs:
    yield "server.address", of.host
    yield "server.port", of.port


# ---------------------------------------------------------------- one function per kind of span


def _agent(facts: RunFacts) -> Pairs:
    if facts.assistant is not None:
        yield AGENT_ID, facts.assistant.id
        yield AGENT_NAME, facts.assistant.name
        yield "gen_ai.agent.description", facts.assistant.description


def _common(facts: RunFacts) -> Pairs:
    yield PROVIDER, facts.server.provider
    yield REQUEST_MODEL, request_model(facts)
    if facts.finish_reason is not None:
        yield "gen_ai.response.finish_reasons", [facts.finish_reason]
    if facts.run is not None:
        yield CONVERSATION, facts.run.thread_id or None
        yield RESPONSE_ID, facts.run.id or None


def _run(facts: RunFacts, max_chars: int) -> Pairs:
    yield from _common(facts)
    yield from _agent(facts)
    yield DATA_SOURCE, facts.data_source_id
    yield from server(facts.server)
    yield "runspan.run.unfinished", facts.unfinished
    yield "runspan.run.origin", facts.origin
    run = facts.run
    if run is None or not run.id:
        return
    yield "runspan.run.id", run.id
    yield "runspan.run.status", run.status
    yield "runspan.run.incomplete_reason", run.incomplete_reason
    yield "runspan.run.queue_s", facts.queue_s
    yield "runspan.run.active_s", facts.active_s
    yield "runspan.run.tool_wait_s", facts.tool_wait_s
    yield "runspan.run.detection_lag_s", facts.detection_lag_s
    yield "runspan.run.end_uncertainty_s", facts.end_uncertainty_s
    yield "runspan.run.polls", facts.polls
    yield "runspan.run.created_at", run.created_at
    yield "runspan.run.started_at", run.started_at
    yield "runspan.run.ended_at", run.ended_at
    of_assistant = facts.assistant.file_ids if facts.assistant else ()
    yield "runspan.run.file_ids", list(run.file_ids or of_assistant) or None  # of the API's first version
    yield "runspan.run.metadata", fit(dict(run.metadata), max_chars) if run.metadata else None


def _generation(facts: RunFacts, max_chars: int) -> Pairs:
    yield from _common(facts)
    run = facts.run
    if run is None:
        return
    yield "gen_ai.response.model", run.model
    yield from _usage(run.usage)
    yield from _cost(facts.cost)
    yield "gen_ai.response.time_to_first_chunk", facts.first_chunk_s
    if facts.request.stream:
        yield "gen_ai.request.stream", True
    settings: Mapping[str, Any] = {**facts.request.settings, **run.settings}
    for key, attribute in _SETTINGS.items():
        yield attribute, settings.get(key)
    yield "gen_ai.output.type", _OUTPUT_TYPES.get(settings.get("response_format", ""))
    if not facts.captured:
        return
    instructions = [{"type": "text", "content": t} for t in facts.instructions]
    yield from _json("gen_ai.system_instructions", instructions, max_chars, facts.instructions_length)
    yield from _json("gen_ai.input.messages", [messages.message(m) for m in facts.inputs], max_chars)
    yield "runspan.input.omitted_messages", facts.omitted_inputs or None
    yield "runspan.input.incomplete", not facts.has_all_inputs or None  # older messages may be missing
    answers = messages.answers(facts.outputs, facts.finish_reason)
    yield from _json("gen_ai.output.messages", answers, max_chars)
    yield from _json("gen_ai.tool.definitions", messages.definitions(run.tools), max_chars)


def _tool(facts: ToolFacts, max_chars: int) -> Pairs:
    call = facts.call
    yield CONVERSATION, facts.thread_id
    yield TOOL_NAME, call.name
    yield "gen_ai.tool.type", tool_type(call)
    yield "gen_ai.tool.call.id", call.id or None
    yield "gen_ai.tool.description", facts.description
    length = call.original_length
    yield from _text("gen_ai.tool.call.arguments", call.arguments, max_chars, length.get("arguments"))
    yield "runspan.tool.arguments.incomplete", call.is_incomplete or None
    if call.outputs:
        yield from _json(TOOL_RESULT, messages.code_outputs(call), max_chars)
    elif call.documents:
        yield from _json(TOOL_RESULT, messages.search_results(call.documents), max_chars)
        yield from _json(DOCUMENTS, messages.retrieval_documents(call.documents), max_chars)
    else:
        yield from _text(TOOL_RESULT, call.output, max_chars, length.get("output"))
    yield DATA_SOURCE, facts.data_source_id
    yield "runspan.step.id", facts.step_id
    yield "runspan.step.status", facts.step_status
    if facts.usage is not None:  # a part of the Run's: under our own names, so that nobody counts it twice
        yield "runspan.step.usage.input_tokens", facts.usage.prompt_tokens
        yield "runspan.step.usage.output_tokens", facts.usage.completion_tokens


def _call(facts: CallFacts, max_chars: int) -> Pairs:
    yield PROVIDER, facts.server.provider
    yield REQUEST_MODEL, facts.model
    if facts.assistant is not None:
        yield AGENT_ID, facts.assistant.id or None
        yield AGENT_NAME, facts.assistant.name
    yield CONVERSATION, facts.thread_id
    yield "runspan.run.id", facts.run_id
    yield "runspan.message.id", facts.message_id
    yield from server(facts.server)
    if facts.stored is not None:
        yield from _stored(facts.stored)
    yield "runspan.indexing.polls", facts.polls
    yield "runspan.indexing.uploads", facts.uploads
    if facts.search is not None:
        yield from _search(facts.search, max_chars)


def _stored(stored: Stored) -> Pairs:
    yield DATA_SOURCE, stored.store_id
    yield "runspan.vector_store.name", stored.store_name
    yield "runspan.file.id", stored.file_id
    yield "runspan.file.name", stored.file_name
    yield "runspan.file.bytes", stored.file_bytes
    yield "runspan.file.purpose", stored.purpose
    yield "runspan.file_batch.id", stored.batch_id
    yield "runspan.indexing.status", stored.status
    for status, count in stored.counts.items():
        yield f"runspan.indexing.files.{status}", count


def _search(search: Search, max_chars: int) -> Pairs:
    yield "gen_ai.retrieval.query.text", "\n".join(search.queries) or None
    yield "gen_ai.retrieval.top_k", search.top_k
    yield from _json(DOCUMENTS, messages.retrieval_documents(search.documents), max_chars)


# ---------------------------------------------------------------- pieces


def request_model(facts: RunFacts) -> str | None:
    """What the app asked for, else what the Run says, else what the assistant is set to."""
    asked = facts.request.model or (facts.run.model if facts.run else None)
    return asked or (facts.assistant.model if facts.assistant else None)


def tool_type(call: ToolCall) -> str:
    return _TOOL_TYPES.get(call.type, "extension")


def _usage(usage: Usage | None) -> Pairs:
    if usage is None:
        return
    yield "gen_ai.usage.input_tokens", usage.prompt_tokens
    yield "gen_ai.usage.output_tokens", usage.completion_tokens
    yield "gen_ai.usage.cache_read.input_tokens", usage.cached_tokens
    yield "gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens


def _cost(cost: Cost | None) -> Pairs:
    if cost is None:
        return
    if cost.currency == USD:
        yield "gen_ai.usage.cost", cost.total  # no convention has it; who reads this key reads dollars
    yield "runspan.cost.total", cost.total
    yield "runspan.cost.currency", cost.currency
    yield "runspan.cost.source", cost.source
    yield "runspan.cost.prices_date", cost.date


def _json(key: str, value: list[Any], max_chars: int, original_length: int | None = None) -> Pairs:
    """A list as JSON; with its length where it did not fit, or was cut before."""
    if not value:
        return
    whole = dumps(value)
    is_whole = len(whole) <= max_chars
    yield key, whole if is_whole else fit_json(value, whole, max_chars)
    if original_length or not is_whole:
        yield ORIGINAL_LENGTH + key, original_length or len(whole)


def _text(key: str, text: str | None, max_chars: int, original_length: int | None) -> Pairs:
    """A text, with its length where it was cut, here or before."""
    if text is None:
        return
    yield key, fit_text(text, max_chars)
    if original_length or len(text) > max_chars:
        yield ORIGINAL_LENGTH + key, original_length or len(text)
