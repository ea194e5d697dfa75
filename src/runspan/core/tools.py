"""Tool calls of a Run -> their spans: from `requires_action` rounds (functions) and from run steps (all tools), each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from . import timing
from .lifecycle import RunState
from .model import ApiError, SpanData, SpanKind, ToolCall, ToolFacts
from .redact import Texts
from .timing import Timeline


@dataclass(frozen=True, slots=True)
class _Found:
    """One call, its texts as they came."""

    call: ToolCall
    start_ns: int
    end_ns: int
    step_id: str | None = None
    error: ApiError | None = None
    is_pending: bool = False  # it still waits for its output


def spans(state: RunState, line: Timeline, texts: Texts) -> tuple[SpanData, ...]:
    """One span per call, inside the Run's; every text is redacted once."""
    return tuple(_span(state, found, line, texts) for found in _found(state, line).values())


def pending(state: RunState, line: Timeline, of: tuple[SpanData, ...]) -> tuple[ToolCall, ...]:
    """The calls that still wait, as they are on their spans."""
    if state.is_over:
        return ()
    waits = [found.is_pending for found in _found(state, line).values()]
    calls = [span.facts.call for span in of if isinstance(span.facts, ToolFacts)]
    return tuple(call for call, is_pending in zip(calls, waits, strict=True) if is_pending)


def _found(state: RunState, line: Timeline) -> dict[str, _Found]:
    """By call id; a call without one by its place."""
    found: dict[str, _Found] = {}
    for n, tool_round in enumerate(state.rounds):
        opened, closed_ns = tool_round.opened, tool_round.closed_ns
        start_ns = timing.place(state, None, opened.earliest_ns, opened.latest_ns).at_ns
        end_ns = line.end.at_ns if closed_ns is None else closed_ns
        for i, call in enumerate(tool_round.calls):
            found[call.id or f"/{n}/{i}"] = _Found(call, start_ns, end_ns, is_pending=closed_ns is None)
    for key, of_step in _of_steps(state, line):
        known = found.get(key)
        found[key] = _merged(known, of_step) if known else of_step
    return found


def _of_steps(state: RunState, line: Timeline) -> Iterator[tuple[str, _Found]]:
    """In list order, on our clock where they were streamed, else by their stamps."""
    after_ns = line.active_from_ns
    for step in state.steps.values():
        start_ns, end_ns = timing.place_step(state, step.created_at, step.ended_at, after_ns, line.end.at_ns)
        start_ns = step.seen_ns if step.seen_ns is not None else start_ns
        end_ns = step.done_ns if step.done_ns is not None else max(start_ns, end_ns)
        after_ns = max(after_ns, start_ns)
        for i, call in enumerate(step.tool_calls):
            yield call.id or f"{step.id}/{i}", _Found(call, start_ns, end_ns, step.id, step.error)


def _merged(of_round: _Found, of_step: _Found) -> _Found:
    """The round knows the times; the step adds its id and what the round did not have."""
    old, new = of_round.call, of_step.call
    call = replace(
        old,
        name=old.name or new.name,
        arguments=old.arguments if old.arguments is not None else new.arguments,
        output=old.output if old.output is not None else new.output,
    )
    return replace(of_round, call=call, step_id=of_step.step_id, error=of_step.error)


def _span(state: RunState, found: _Found, line: Timeline, texts: Texts) -> SpanData:
    low, high = line.start_ns, line.end.at_ns
    start_ns = min(max(found.start_ns, low), high)
    call = replace(
        found.call,
        name=texts.word("name", found.call.name),
        arguments=texts.keep("tool.arguments", found.call.arguments),
        output=texts.keep("tool.result", found.call.output),
    )
    error = found.error and replace(found.error, message=texts.keep("error", found.error.message))
    facts = ToolFacts(state.server, call, found.step_id, state.key.thread_id)
    end_ns = min(max(found.end_ns, start_ns), high)
    return SpanData(SpanKind.TOOL, "execute_tool", start_ns, end_ns, facts, error)
