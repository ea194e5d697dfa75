"""Items: what a response put out, and what its request put in, as messages and steps of the run model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from ...core import ids, transcript
from ...core.answers import Answers
from ...core.fields import Wire, ident, items, text, without_nulls
from ...core.model import Message, Part, RunStep, ToolCall
from ...core.order import next_of, queues
from . import parts, statuses, tool_calls

MESSAGE = "message"
_OUR_OWN_WORDS = (
    *("id", "type", "role", "status"),
    *("encrypted_content", "agent_reference", "response_id", "partition_key"),
)


Output = tuple[tuple[Message, ...], tuple[RunStep, ...]]


def output(found: Sequence[Wire], run_id: str) -> Output:
    """Items of the run's output: each is one step, in their order; texts are messages, too.

    A call whose output is among them was run by the server.
    """
    read = [
        _output_item(item, ident(item) or key_at(n), run_id, key, result)
        for n, item, key, result in _with_results(found)
    ]
    return tuple(message for message, _ in read if message is not None), tuple(step for _, step in read)


def asked(found: Sequence[Wire]) -> tuple[ToolCall, ...]:
    """The calls among them that the app is to run. Nothing else of them is read: this is done on the app's thread, too."""
    return tuple(
        replace(tool_calls.of_app(item), id=key)
        for _, item, key, result in _with_results(found)
        if result is None and tool_calls.asks_app(item)
    )


def key_at(place: int) -> str:
    """Of an item to which the server gives no id: by its place in the output."""
    return ids.numbered("", place)


def _with_results(found: Sequence[Wire]) -> Iterator[tuple[int, Wire, str, Wire | None]]:
    """Each item that is no output, by its place, with the key of its call and the output that the server has for it.

    In order, where a server gives an id to several calls, or none to any.
    """
    results = queues((ident(item, "call_id"), item) for item in found if tool_calls.is_output(item))
    numbering = ids.Numbering()
    for n, item in enumerate(found):
        if tool_calls.is_call(item):
            id_ = ident(item, "call_id")
            yield n, item, numbering.key(id_), next_of(results, id_)
        elif not tool_calls.is_output(item):
            yield n, item, "", None


def _output_item(
    item: Wire, id_: str, run_id: str, key: str, result: Wire | None
) -> tuple[Message | None, RunStep]:
    kind, status = text(item, "type") or "unknown", text(item, "status")
    error = tool_calls.error(item)
    outcome = statuses.ITEM["failed"] if error else statuses.ITEM.get(status or "")
    step = RunStep(id_, kind, status, outcome, error=error)
    if not tool_calls.is_call(item):
        message = _message(item, id_, "assistant")
        growing = status in statuses.GROWING
        message = replace(message, run_id=run_id, role="assistant", is_growing=growing)
        shown = message if message.parts or growing else None
        return shown, replace(step, message_id=id_)
    if result is None and tool_calls.asks_app(item):
        call = replace(tool_calls.of_app(item), id=key)
        return None, replace(step, tool_calls=(call,), is_asked_of_app=True)
    call = tool_calls.of_server(item)
    if result is not None:
        call = replace(call, output=tool_calls.output(result).output)
    return None, replace(step, tool_calls=(call,))


def inputs(given: Any, run_id: str, sent_ns: int) -> tuple[Message, ...]:
    """`input` of a request, or the input items of a response: a text, or a list."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    found = items({"input": given}, "input")
    read = (_input_item(item, ident(item) or f"{run_id}#in{n}") for n, item in enumerate(found))
    return tuple(replace(message, sent_ns=sent_ns) for message in read if message.parts)


def _input_item(item: Wire, id_: str) -> Message:
    if tool_calls.is_output(item):
        return Message(id_, "tool", (Part(transcript.RESPONSE, call=tool_calls.output(item)),))
    if tool_calls.is_call(item):
        return Message(id_, "assistant", tuple(_call_parts(item)))
    return _message(item, id_, "user")


def _call_parts(item: Wire) -> Iterator[Part]:
    if tool_calls.asks_app(item):
        yield Part(transcript.CALL, call=tool_calls.of_app(item))
        return
    call = tool_calls.of_server(item)
    yield Part(transcript.SERVER_CALL, call=call)
    if transcript.has_result(call):
        yield Part(transcript.SERVER_RESPONSE, call=call)


def _message(item: Wire, id_: str, role: str) -> Message:
    """A message; anything else by its type, with all that it says."""
    kind = text(item, "type") or MESSAGE
    if kind == "reasoning":
        return Message(id_, "assistant", parts.reasoning(item))
    if kind == MESSAGE:
        outcome = statuses.ITEM.get(text(item, "status") or "")
        return Message(id_, text(item, "role") or role, parts.of(item.get("content")), outcome=outcome)
    said = {k: v for k, v in item.items() if k not in _OUR_OWN_WORDS}
    return Message(id_, role, (Part(kind, None, without_nulls(said)),))


def has_outputs(given: Any) -> bool:
    """Whether `input` of a request brings outputs of tool calls."""
    return isinstance(given, list | tuple) and any(map(tool_calls.is_output, given))


def answers(given: Sequence[Any], continues: str | None, conversation_id: str | None) -> Answers:
    """Those outputs, and whose calls they are for."""
    found = [item for item in given if isinstance(item, Mapping)]
    return Answers(
        tuple(tool_calls.output(item) for item in found if tool_calls.is_output(item)),
        continues,
        conversation_id,
        tuple(
            RunStep(ident(item), text(item, "type") or "", tool_calls=(tool_calls.of_app(item),))
            for item in found
            if tool_calls.asks_app(item)
        ),
    )
