"""What a test sees of a run: plain frozen values, read from the spans that were exported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one run; the totals include their parts."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the trace has it. `parts` in the GenAI schema, `text` of those that have any."""

    role: str
    text: str
    parts: tuple[Mapping[str, Any], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Arguments and results that are JSON objects or arrays are decoded, every other text stays what it is."""

    name: str
    arguments: Any
    result: Any
    start_s: float
    end_s: float
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTrace:
    """One run: a Run of an assistant, or a Response. Read from its spans. Times are Unix seconds, durations seconds."""

    name: str
    api: str  # "assistants" or "responses"
    id: str | None  # None: the request that should have created it failed
    thread_id: str | None  # of a Response: its conversation, or the first response of its chain
    status: str | None  # the last one the API gave
    unfinished: str | None  # why the end was never seen
    error: str | None  # last_error.code, "expired", the code of a failed request
    error_message: str | None
    model: str | None
    usage: Usage | None
    finish_reason: str | None
    agent: str | None  # the assistant's name, or that of the agent that the request names
    instructions: str
    input: tuple[Message, ...]
    output: tuple[Message, ...]
    tools: tuple[ToolCall, ...]
    metadata: Mapping[str, str]
    statuses: tuple[str, ...]  # in the order in which they were seen
    polls: int
    start_s: float
    end_s: float
    queue_s: float | None
    active_s: float | None
    tool_wait_s: float | None
    first_token_s: float | None  # from the request to the first text; None: it was not streamed
    parent: str | None  # name of the span in which the app asked for the run
    trace_id: str
    attributes: Mapping[str, Any] = field(repr=False)  # of both spans

    @property
    def answer(self) -> str:
        """The texts that the run wrote."""
        return "\n".join(message.text for message in self.output if message.text)

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


# ---------------------------------------------------------------- spans -> runs


def read(spans: Sequence[ReadableSpan], parents: Mapping[int, str]) -> list[RunTrace]:
    """A span that names its API is a run's own: of a run of an assistant, or the generation that is a Response."""
    below: dict[int, list[ReadableSpan]] = {}
    tools: dict[Any, list[ReadableSpan]] = {}
    for span in spans:
        if span.parent is not None:
            below.setdefault(span.parent.span_id, []).append(span)
        tools.setdefault(_of(span, "gen_ai.tool.call.id"), []).append(span)
    found = [
        _run(run, below.get(run.context.span_id, []), tools, parents)
        for run in spans
        if run.context is not None and _of(run, "runspan.api")
    ]
    return sorted(found, key=lambda run: run.start_s)


def _run(
    run: ReadableSpan,
    children: list[ReadableSpan],
    by_call: Mapping[Any, list[ReadableSpan]],
    parents: Mapping[int, str],
) -> RunTrace:
    both: dict[str, Any] = {**(run.attributes or {})}
    for child in children:
        if _operation(child) == "chat":
            both = {**(child.attributes or {}), **both}
    output = _messages(both.get("gen_ai.output.messages"))
    # The app's functions run beside a Response that asked for them, and below a run of an assistant.
    asked = [part["id"] for message in output for part in message.parts if part.get("type") == "tool_call"]
    its_own = {
        id(span): span for span in (*children, *(one for call in asked for one in by_call.get(call, ())))
    }
    tools = sorted(
        (one for one in its_own.values() if _operation(one) == "execute_tool"),
        key=lambda span: span.start_time or 0,
    )
    texts = [part.get("content", "") for part in _json(both.get("gen_ai.system_instructions"), [])]
    return RunTrace(
        name=run.name,
        api=both["runspan.api"],
        id=both.get("runspan.run.id"),
        thread_id=both.get("gen_ai.conversation.id"),
        status=both.get("runspan.run.status"),
        unfinished=both.get("runspan.run.unfinished"),
        error=both.get("error.type"),
        error_message=run.status.description,
        model=both.get("gen_ai.response.model") or both.get("gen_ai.request.model"),
        usage=_usage(both),
        finish_reason=next(iter(both.get("gen_ai.response.finish_reasons") or ()), None),
        agent=both.get("gen_ai.agent.name"),
        instructions="\n".join(texts),
        input=_messages(both.get("gen_ai.input.messages")),
        output=output,
        tools=tuple(map(_tool, tools)),
        metadata=_json(both.get("runspan.run.metadata"), {}),
        statuses=tuple(
            str((event.attributes or {})["runspan.run.status"])
            for event in run.events
            if "runspan.run.status" in (event.attributes or {})
        ),
        polls=both.get("runspan.run.polls", 0),
        start_s=(run.start_time or 0) / 1e9,
        end_s=(run.end_time or 0) / 1e9,
        queue_s=both.get("runspan.run.queue_s"),
        active_s=both.get("runspan.run.active_s"),
        tool_wait_s=both.get("runspan.run.tool_wait_s"),
        first_token_s=both.get("gen_ai.response.time_to_first_chunk"),
        parent=parents.get(run.context.span_id) if run.context is not None else None,
        trace_id=f"{run.context.trace_id:032x}" if run.context is not None else "",
        attributes=both,
    )


def _usage(attributes: Mapping[str, Any]) -> Usage | None:
    names = ("input_tokens", "output_tokens", "cache_read.input_tokens", "reasoning.output_tokens")
    values: list[Any] = [attributes.get(f"gen_ai.usage.{name}") for name in names]
    return None if values[0] is None or values[1] is None else Usage(*values)


def _messages(value: Any) -> tuple[Message, ...]:
    return tuple(
        Message(m["role"], "\n".join(p["content"] for p in m["parts"] if _is_said(p)), tuple(m["parts"]))
        for m in _json(value, [])
    )


def _is_said(part: Mapping[str, Any]) -> bool:
    return bool(part.get("content")) and part.get("type") != "reasoning"


def _tool(span: ReadableSpan) -> ToolCall:
    return ToolCall(
        name=_of(span, "gen_ai.tool.name") or span.name,
        arguments=_decoded(_of(span, "gen_ai.tool.call.arguments")),
        result=_decoded(_of(span, "gen_ai.tool.call.result")),
        start_s=(span.start_time or 0) / 1e9,
        end_s=(span.end_time or 0) / 1e9,
        error=_of(span, "error.type"),
    )


def _decoded(text: Any) -> Any:
    value = _json(text, None)
    return value if isinstance(value, dict | list) else text


def _json(text: Any, default: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else default
    except ValueError:
        return default


def _of(span: ReadableSpan, key: str) -> Any:
    return (span.attributes or {}).get(key)


def _operation(span: ReadableSpan) -> Any:
    return _of(span, "gen_ai.operation.name")
