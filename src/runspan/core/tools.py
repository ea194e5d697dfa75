"""Tool calls of a run: from its waits for outputs (functions) and from its steps (all tools), each once.

A round knows when the app was asked and when it answered; a step knows everything else.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from . import ids, timing
from .jsontext import fit_text
from .lifecycle import RunState
from .model import ApiError, Document, Outcome, RunStep, SpanData, SpanKind, ToolCall, ToolFacts
from .order import next_of, queues
from .redact import Texts
from .timing import Timeline

SEARCHES = frozenset({"file_search", "retrieval"})


class ToolInvocation(Struct, frozen=True, gc=False):
    """One call with its texts as they may go out. Calls of one `group` (a step, else a round) were made at once."""

    call: ToolCall
    start_ns: int
    end_ns: int
    group: str
    step: RunStep | None = None
    name: str | None = None  # of the function, as the API has it


def used(state: RunState, line: Timeline, texts: Texts) -> tuple[ToolInvocation, ...]:
    """In the order in which they began. Every text is redacted once."""
    if not state.rounds and not any(step.tool_calls for step in state.steps.values()):
        return ()
    found = sorted(_found(state, line), key=lambda use: use.start_ns)
    return tuple(
        ToolInvocation(kept(use.call, texts), use.start_ns, use.end_ns, use.group, use.step, use.call.name)
        for use in found
    )


def spans(
    state: RunState,
    uses: tuple[ToolInvocation, ...],
    line: Timeline,
    texts: Texts,
    descriptions: Mapping[str, str],
    data_source_id: str | None,
) -> tuple[SpanData, ...]:
    """One span per call, inside the Run's. `descriptions` of functions by name, redacted already.

    Calls that the app answers once the run is over have theirs elsewhere.
    """
    low, high = line.start_ns, line.end.at_ns
    told: set[str] = set()  # steps whose usage stands on a span
    found: list[SpanData] = []
    for use in uses:
        step, call = use.step, use.call
        if step is not None and step.is_asked_of_app:
            continue
        start_ns = min(max(use.start_ns, low), high)
        facts = ToolFacts(
            server=state.server,
            call=call,
            step_id=(ids.shown(step.id) or None) if step else None,
            conversation_id=state.conversation_id,
            step_status=step.status if step else None,
            usage=step.usage if step and step.id not in told else None,
            description=descriptions.get(use.name or "") if call.type == "function" else None,
            data_source_id=data_source_id if call.type in SEARCHES else None,
            is_untimed=step is not None and _is_untimed(step),
        )
        if step:
            told.add(step.id)
        error = _error(step)
        error = error and replace(error, message=texts.keep("error", error.message))
        end_ns = min(max(use.end_ns, start_ns), high)
        found.append(SpanData(SpanKind.TOOL, "execute_tool", start_ns, end_ns, facts, error))
    return tuple(found)


def _found(state: RunState, line: Timeline) -> list[ToolInvocation]:
    """Each call once: as its round has it, with what its step adds. Those that only steps name come last."""
    found = list(_of_rounds(state, line))
    of_steps = list(_of_steps(state, line))
    at = _places(found, of_steps)
    for use, n in zip(of_steps, at, strict=True):
        if n is None:
            found.append(use)
        else:
            found[n] = _merged(found[n], use)
    return found


def _places(of_rounds: list[ToolInvocation], of_steps: list[ToolInvocation]) -> list[int | None]:
    """Which call of a round each call of a step is: by its id, in order where that is repeated; else by what was asked.

    Some servers give a call another id in its step than in its round.
    """
    by_id = queues(((use.call.id, use.call.type), n) for n, use in enumerate(of_rounds) if use.call.id)
    at = [next_of(by_id, (use.call.id, use.call.type)) for use in of_steps]
    by_words = queues(
        (_asked(use.call), n)
        for n, use in enumerate(of_rounds)
        if n not in at and use.call.arguments is not None
    )
    return [
        next_of(by_words, _asked(use.call)) if n is None else n for use, n in zip(of_steps, at, strict=True)
    ]


def _asked(call: ToolCall) -> Hashable:
    return call.type, call.name, call.arguments


def _of_rounds(state: RunState, line: Timeline) -> Iterator[ToolInvocation]:
    for n, tool_round in enumerate(state.rounds):
        opened, closed_ns = tool_round.opened, tool_round.closed_ns
        start_ns = timing.place(state, None, opened.earliest_ns, opened.latest_ns).at_ns
        end_ns = line.end.at_ns if closed_ns is None else closed_ns
        for call in tool_round.calls:
            yield ToolInvocation(call, start_ns, end_ns, f"/{n}")


def _of_steps(state: RunState, line: Timeline) -> Iterator[ToolInvocation]:
    """In list order, on our clock where they were streamed, else by their stamps."""
    after_ns = line.active_from_ns
    for step in state.steps.values():
        start_ns, end_ns = timing.place_step(state, step, after_ns, line.end.at_ns)
        after_ns = max(after_ns, start_ns)
        for call in step.tool_calls:
            yield ToolInvocation(call, start_ns, end_ns, step.id, step)


def _merged(of_round: ToolInvocation, of_step: ToolInvocation) -> ToolInvocation:
    """The round knows the times; the step adds its id and what the round did not have."""
    old, new = of_round.call, of_step.call
    call = replace(
        old,
        name=old.name or new.name,
        arguments=old.arguments if old.arguments is not None else new.arguments,
        output=old.output if old.output is not None else new.output,
        is_incomplete=old.arguments is None and new.is_incomplete,
    )
    return replace(of_round, call=call, step=of_step.step, group=of_step.group)


# ---------------------------------------------------------------- texts


def kept(call: ToolCall, texts: Texts) -> ToolCall:
    """The call with its texts as they may go out."""
    arguments, output = (
        texts.redacted(kind, text)
        for kind, text in (("tool.arguments", call.arguments), ("tool.result", call.output))
    )
    lengths = {"arguments": len(arguments or ""), "output": len(output or "")}
    return ToolCall(
        ids.shown(call.id),
        call.type,
        name=texts.word("name", call.name),
        arguments=arguments and fit_text(arguments, texts.max_chars),
        output=output and fit_text(output, texts.max_chars),
        outputs=tuple(texts.part("tool.result", part) for part in call.outputs) if texts.captures else (),
        documents=tuple(_document(document, texts) for document in call.documents),
        is_incomplete=call.is_incomplete,
        original_length={name: n for name, n in lengths.items() if n > texts.max_chars},
    )


def _document(document: Document, texts: Texts) -> Document:
    """Which file, and how well it fitted, are no texts of anybody; its name and content are."""
    whole = texts.redacted("tool.result", document.text)
    return Document(
        document.file_id,
        texts.keep("tool.result", document.file_name),
        document.score,
        texts.cut(whole),
        original_length=len(whole) if whole and len(whole) > texts.max_chars else None,
    )


def _is_untimed(step: RunStep) -> bool:
    return step.created_at is step.ended_at is step.seen_ns is step.done_ns is None


def _error(step: RunStep | None) -> ApiError | None:
    """As with Runs: a cancelled step was asked for, an expired one is an error."""
    if step is None or step.outcome is Outcome.CANCELLED:
        return None
    if step.outcome is Outcome.EXPIRED:
        return ApiError("expired", step.error.message if step.error else None)
    return step.error or (ApiError("failed") if step.outcome is Outcome.FAILED else None)
