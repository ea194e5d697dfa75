"""RunState -> the SpanData tree: one run span, one generation span, one span per tool call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from . import thread, timing
from .lifecycle import RunState
from .model import (
    ApiError,
    Assistant,
    Message,
    Part,
    Run,
    RunFacts,
    RunRequest,
    Server,
    SpanData,
    SpanEvent,
    SpanKind,
    ToolCall,
    ToolFacts,
)
from .redact import Texts, cut
from .thread import ThreadLog
from .timing import SECOND_NS, Timeline

FINISH_REASONS: Mapping[str, str] = {
    "completed": "stop",
    "failed": "error",
    "cancelled": "error",  # the conventions: expected but not received
    "expired": "error",
    "requires_action": "tool_call",  # the last thing seen of an unfinished run
}
_LENGTH_REASONS = frozenset({"max_completion_tokens", "max_prompt_tokens", "max_tokens"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a thread goes on one span."""

    max_input_messages: int = 100
    max_input_chars: int = 65_536


def assemble(
    state: RunState,
    log: ThreadLog,
    assistant: Assistant | None,
    texts: Texts,
    limits: Limits = Limits(),
    unfinished: str | None = None,
) -> SpanData:
    """The spans of one Run. Everything lies inside the run span."""
    line = timing.timeline(state)
    error = _error(state, texts)
    facts = _facts(state, log, assistant, texts, limits, line, unfinished)
    generation = SpanData(SpanKind.GENERATION, "chat", line.active_from_ns, line.end.at_ns, facts, error)
    return SpanData(
        SpanKind.RUN,
        "invoke_agent",
        line.start_ns,
        line.end.at_ns,
        facts,
        error,
        _events(state, line),
        (generation, *_tools(state, line, texts)),
    )


def with_event(data: SpanData, state: RunState, log: ThreadLog, texts: Texts, limits: Limits) -> SpanData:
    """`data` with the content of its generation once more, for a log record."""
    generation, *tools = data.children
    facts = data.facts
    if not isinstance(facts, RunFacts):
        return data
    whole = _facts(state, log, facts.assistant, texts, limits, timing.timeline(state), facts.unfinished)
    return replace(data, children=(replace(generation, event_facts=whole), *tools))


def failed_request(
    server: Server,
    request: RunRequest,
    thread_id: str,
    start_ns: int,
    end_ns: int,
    error: ApiError,
    texts: Texts,
) -> SpanData:
    """A `POST .../runs` that gave no Run: a run span with its error and nothing below."""
    facts = RunFacts(
        server=server,
        request=_request(request, texts),
        run=Run("", thread_id, assistant_id=request.assistant_id),
        assistant=Assistant(request.assistant_id) if request.assistant_id else None,
        captured=texts.captures,
        finish_reason="error",
    )
    error = replace(error, message=texts.keep("error", error.message))
    return SpanData(SpanKind.RUN, "invoke_agent", start_ns, end_ns, facts, error)


# ---------------------------------------------------------------- facts


def _facts(
    state: RunState,
    log: ThreadLog,
    assistant: Assistant | None,
    texts: Texts,
    limits: Limits,
    line: Timeline,
    unfinished: str | None,
) -> RunFacts:
    run = state.run
    inputs = thread.inputs(log, state) if texts.captures else ()
    outputs = (*thread.outputs(log, state.key.run_id), *_partials(state, log)) if texts.captures else ()
    kept = _newest(inputs, limits)
    lag_ns = None if state.noticed_ns is None else max(0, state.noticed_ns - line.end.at_ns)
    pending = next((r.calls for r in state.rounds if r.closed_ns is None), ())
    return RunFacts(
        server=state.server,
        request=_request(state.request, texts),
        run=_run(run, texts),
        assistant=_assistant(assistant, run, texts),
        unfinished=unfinished,
        origin=state.origin,
        finish_reason=_finish_reason(run, outputs, unfinished),
        queue_s=line.queue_ns / SECOND_NS,
        active_s=line.active_ns / SECOND_NS,
        tool_wait_s=line.tool_wait_ns / SECOND_NS,
        detection_lag_s=None if lag_ns is None else lag_ns / SECOND_NS,
        end_uncertainty_s=None if unfinished else line.end.width_ns / SECOND_NS,
        first_chunk_s=None
        if state.first_token_ns is None
        else (state.first_token_ns - state.request_ns) / SECOND_NS,
        polls=state.polls,
        instructions=_instructions(state, texts),
        inputs=tuple(_message("input", m, texts) for m in kept),
        omitted_inputs=len(inputs) - len(kept),
        outputs=tuple(_message("output", m, texts) for m in outputs),
        pending=tuple(_call(c, texts) for c in pending) if not state.is_over else (),
        captured=texts.captures,
    )


def _run(run: Run, texts: Texts) -> Run:
    """The Run without the texts that may not go out."""
    metadata = {k: kept for k, v in run.metadata.items() if (kept := texts.keep("metadata", v)) is not None}
    return replace(
        run, metadata=metadata, tools=run.tools if texts.captures else (), instructions=None, required=()
    )


def _request(request: RunRequest, texts: Texts) -> RunRequest:
    return replace(request, additional_instructions=None, additional_messages=())


def _assistant(assistant: Assistant | None, run: Run, texts: Texts) -> Assistant | None:
    if assistant is None:
        return Assistant(run.assistant_id) if run.assistant_id else None
    return replace(assistant, description=texts.keep("description", assistant.description))


def _instructions(state: RunState, texts: Texts) -> tuple[str, ...]:
    """`Run.instructions` is the effective text; where the server does not fold the additional ones in, they follow."""
    whole = state.run.instructions
    more = state.request.additional_instructions
    parts = [whole, more if more and more not in (whole or "") else None]
    return tuple(kept for part in parts if part and (kept := texts.keep("instructions", part)) is not None)


def _message(kind: str, message: Message, texts: Texts) -> Message:
    return replace(message, parts=tuple(_part(kind, part, texts) for part in message.parts))


def _part(kind: str, part: Part, texts: Texts) -> Part:
    if part.text is None:
        return part
    whole = texts.redacted(kind, part.text)
    if whole is None or len(whole) <= texts.max_chars:
        return replace(part, text=whole)
    return replace(
        part, text=cut(whole, texts.max_chars), fields={**part.fields, "original_length": len(whole)}
    )


def _newest(messages: tuple[Message, ...], limits: Limits) -> tuple[Message, ...]:
    """The newest messages within the limits, at least one."""
    count, chars = 0, 0
    for message in reversed(messages[-limits.max_input_messages :]):
        chars += sum(len(p.text or "") for p in message.parts)
        if count and chars > limits.max_input_chars:
            break
        count += 1
    return messages[len(messages) - count :]


def _partials(state: RunState, log: ThreadLog) -> tuple[Message, ...]:
    """Text of a stream that was cut before its message completed."""
    known = {m.id for m in log.messages if m.parts}
    return tuple(
        Message(id_, "assistant", (Part("text", text),), run_id=state.key.run_id, status="incomplete")
        for id_, text in state.partial.items()
        if id_ not in known and text
    )


def _finish_reason(run: Run, outputs: tuple[Message, ...], unfinished: str | None) -> str:
    reasons = {run.incomplete_reason, *(m.incomplete_reason for m in outputs)}
    if "content_filter" in reasons:
        return "content_filter"
    if run.status == "incomplete":
        return "length" if reasons & _LENGTH_REASONS else "error"
    return FINISH_REASONS.get(run.status or "", "error")


def _error(state: RunState, texts: Texts) -> ApiError | None:
    run = state.run
    if not state.is_over:
        error = state.stream_error
    elif run.status == "failed":
        error = run.error or ApiError("failed")
    elif run.status == "expired":
        error = ApiError("expired", run.error.message if run.error else None)
    else:
        return None
    return error and replace(error, message=texts.keep("error", error.message))


def _events(state: RunState, line: Timeline) -> tuple[SpanEvent, ...]:
    events = [
        SpanEvent(
            f"thread.run.{entry.status}",
            entry.moment.at_ns,
            {
                "runspan.run.status": entry.status,
                "runspan.source": "server" if entry.moment.by_server else "observed",
            },
        )
        for entry in line.entries
    ]
    if state.first_token_ns is not None:
        events.append(SpanEvent("first_token", state.first_token_ns, {}))
    events.extend(state.notes)
    low, high = line.start_ns, line.end.at_ns
    inside = (replace(e, at_ns=min(max(e.at_ns, low), high)) for e in events)
    return tuple(sorted(inside, key=lambda e: e.at_ns))


# ---------------------------------------------------------------- tools


def _tools(state: RunState, line: Timeline, texts: Texts) -> tuple[SpanData, ...]:
    """From `requires_action` rounds (functions) and from run steps (all tools), each call once."""
    low, high = line.start_ns, line.end.at_ns
    spans: dict[str, SpanData] = {}
    for tool_round in state.rounds:
        opened = tool_round.opened
        start_ns = timing.place(state, None, opened.earliest_ns, opened.latest_ns).at_ns
        end_ns = high if tool_round.closed_ns is None else tool_round.closed_ns
        for call in tool_round.calls:
            spans[call.id] = _tool(state, call, None, start_ns, end_ns, None, texts)
    after_ns = line.active_from_ns
    for step in state.steps.values():
        if not step.tool_calls:
            continue
        start_ns, end_ns = timing.place_step(state, step.created_at, step.ended_at, after_ns, high)
        start_ns = step.seen_ns if step.seen_ns is not None else start_ns
        end_ns = step.done_ns if step.done_ns is not None else max(start_ns, end_ns)
        after_ns = max(after_ns, start_ns)
        for call in step.tool_calls:
            known = spans.get(call.id)
            if known is None:
                spans[call.id] = _tool(state, call, step.id, start_ns, end_ns, step.error, texts)
            else:
                spans[call.id] = _with_step(known, call, step.id, texts)
    inside = (
        replace(s, start_ns=min(max(s.start_ns, low), high), end_ns=min(max(s.end_ns, low), high))
        for s in spans.values()
    )
    return tuple(replace(s, end_ns=max(s.start_ns, s.end_ns)) for s in inside)


def _tool(
    state: RunState,
    call: ToolCall,
    step_id: str | None,
    start_ns: int,
    end_ns: int,
    error: ApiError | None,
    texts: Texts,
) -> SpanData:
    facts = ToolFacts(state.server, _call(call, texts), step_id, state.key.thread_id)
    error = error and replace(error, message=texts.keep("error", error.message))
    return SpanData(SpanKind.TOOL, "execute_tool", start_ns, end_ns, facts, error)


def _with_step(span: SpanData, call: ToolCall, step_id: str, texts: Texts) -> SpanData:
    """A function call known from `requires_action`; its step adds the id and what the round did not have."""
    facts = span.facts
    if not isinstance(facts, ToolFacts):
        return span
    new, old = _call(call, texts), facts.call
    call = replace(
        old,
        name=old.name or new.name,
        arguments=old.arguments if old.arguments is not None else new.arguments,
        output=old.output if old.output is not None else new.output,
    )
    return replace(span, facts=replace(facts, call=call, step_id=step_id))


def _call(call: ToolCall, texts: Texts) -> ToolCall:
    arguments, output = texts.keep("tool.arguments", call.arguments), texts.keep("tool.result", call.output)
    return replace(call, arguments=arguments, output=output)
