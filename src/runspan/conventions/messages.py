"""Messages, instructions and tool definitions in the GenAI parts schema.

A span attribute is a string with a limit, so values are cut inside their parts until the JSON fits: it always stays valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..core import transcript
from ..core.jsontext import Json, dumps, parsed
from ..core.model import Document, Message, Outcome, Part, ToolCall


def part(of: Part) -> Json:
    """One part; a type without a row keeps its own name and fields (the schema's generic part)."""
    if of.call is not None:
        return {"type": of.type, "id": of.call.id, **_CALLS[of.type](of.call)}
    if of.text is None and of.type in ("text", "refusal"):
        return {"type": of.type}
    known = _PARTS.get(of.type)
    return {**of.fields, "type": of.type} if known is None else known(of)


def _with(own: dict[str, Json], said: Mapping[str, Json]) -> dict[str, Json]:
    """Our own words, and what a server said beside them (nearly always nothing), which takes the place of none."""
    return {**own, **said, **own} if said else own


def _image_url(of: Part) -> Json:
    """A URL; where the image itself stood in it, what is told of the bytes: a blob, whose content is left out."""
    fields = {k: v for k, v in of.fields.items() if k != "url"}
    if "sha256" in fields:
        return _with({"type": "blob", "modality": "image", "content": ""}, fields)
    return _with({"type": "uri", "modality": "image", "uri": of.fields.get("url")}, fields)


def _asked(call: ToolCall) -> dict[str, Json]:
    name = call.name or call.type  # the schema wants a word
    return {"name": name, "arguments": arguments(call), **_marks(call, "arguments")}


def _answered(call: ToolCall) -> dict[str, Json]:
    said = call.output or ""
    value = parsed(said)
    response = value if isinstance(value, dict | list) else said  # a bare number or word is a text
    return {"response": response, **_marks(call, "output")}


def _server_asked(call: ToolCall) -> dict[str, Json]:
    said = {**_server_arguments(call), **_marks(call, "arguments")}
    return {"name": call.name, "server_tool_call": _with({"type": call.type}, said)}


def _server_arguments(call: ToolCall) -> dict[str, Json]:
    if call.type == "code_interpreter":
        return {"code": call.arguments}
    given = arguments(call)
    return dict(given) if isinstance(given, dict) else {} if given is None else {"arguments": given}


def _server_answered(call: ToolCall) -> dict[str, Json]:
    """Of a search only what was found: the contents stand on the span of the tool."""
    found: dict[str, Json] = {"type": call.type}
    if call.outputs:
        found["outputs"] = code_outputs(call)
    if call.documents:
        found["results"] = search_results(call.documents)
    if call.output is not None:
        found |= {"output": call.output, **_marks(call, "output")}
    return {"server_tool_call_response": found}


def _marks(call: ToolCall, what: str) -> dict[str, Json]:
    """What a reader must know of a text that is not whole."""
    marks: dict[str, Json] = {"incomplete": True} if what == "arguments" and call.is_incomplete else {}
    if call.original_length and (length := call.original_length.get(what)):
        marks["original_length"] = length
    return marks


_PARTS: Mapping[str, Callable[[Part], Json]] = {
    "text": lambda of: _with({"type": "text", "content": of.text}, of.fields),
    "refusal": lambda of: _with({"type": "text", "content": of.text, "refusal": True}, of.fields),
    "reasoning": lambda of: _with({"type": "reasoning", "content": of.text}, of.fields),
    "image_file": lambda of: _with({"type": "file", "modality": "image"}, of.fields),
    "image_url": _image_url,
    "attachment": lambda of: _with({"type": "file", "modality": "document"}, of.fields),
}
_CALLS: Mapping[str, Callable[[ToolCall], dict[str, Json]]] = {
    transcript.CALL: _asked,
    transcript.RESPONSE: _answered,
    transcript.SERVER_CALL: _server_asked,
    transcript.SERVER_RESPONSE: _server_answered,
}


def message(of: Message) -> Json:
    whole: dict[str, Json] = {"role": of.role, "parts": [part(p) for p in of.parts]}
    if of.outcome is Outcome.INCOMPLETE:
        whole["incomplete"] = True
        if of.incomplete_reason is not None:
            whole["incomplete_reason"] = of.incomplete_reason
    if of.original_length is not None:
        whole["original_length"] = of.original_length
    return whole


def answers(of: Sequence[Message], finish_reason: str | None) -> list[Json]:
    """Output messages. `finish_reason` is deprecated in them, but Phoenix leaves out the whole list where one lacks it."""
    return [{**message(m), "finish_reason": _ending(m, m is of[-1], finish_reason)} for m in of]


def _ending(of: Message, is_last: bool, finish_reason: str | None) -> str:
    if any(p.type == "tool_call" for p in of.parts):
        return "tool_call"
    return finish_reason or "error" if is_last or of.outcome is Outcome.INCOMPLETE else "stop"


# ---------------------------------------------------------------- tool calls


def arguments(call: ToolCall) -> Json:
    """Arguments as the object they are, if they are valid JSON (models make mistakes); code is a text."""
    return call.arguments if call.type == "code_interpreter" else parsed(call.arguments)


def code_outputs(call: ToolCall) -> list[Json]:
    """In the API's own words: `{"type": "logs", "logs": ...}`, `{"type": "image", "image": {"file_id": ...}}`."""
    return [_code_output(output) for output in call.outputs]


def _code_output(output: Part) -> Json:
    if output.type != "logs":
        return {"type": output.type, output.type: dict(output.fields)}
    return {"type": "logs", "logs": output.text, **output.fields}


def call_results(call: ToolCall) -> str | None:
    """What a tool gave back, as a text: JSON of the server's tools."""
    if call.outputs:
        return dumps(code_outputs(call))
    return dumps(search_results(call.documents)) if call.documents else call.output


def search_results(documents: Iterable[Document]) -> list[Json]:
    """Which files were found, and how well they fitted."""
    return [_known({"file_id": d.file_id, "file_name": d.file_name, "score": d.score}) for d in documents]


def retrieval_documents(documents: Iterable[Document]) -> list[Json]:
    """`gen_ai.retrieval.documents`, with content where the app asked for it. `name` is ours: an id says nothing to a reader."""
    return [
        _known(
            {"id": d.file_id, "score": d.score, "content": d.text, "name": d.file_name}
            | {"original_length": d.original_length}
        )
        for d in documents
    ]


def _known(values: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in values.items() if value is not None}


# ---------------------------------------------------------------- the rest


def definitions(tools: Iterable[Mapping[str, Any]]) -> Json:
    """`{"type": "function", "function": {...}}` becomes flat; the others are named by their type."""
    flat = []
    for tool in tools:
        kind = str(tool.get("type") or "unknown")
        body = tool.get(kind)
        said = body.items() if isinstance(body, dict) else ()
        flat.append(_with({"type": kind}, {"name": kind, **{k: v for k, v in said if v is not None}}))
    return flat


def plain(messages: Iterable[Message]) -> str:
    """The texts alone, one message a paragraph, for readers that show plain input and output."""
    texts = ("\n".join(map(shown, filter(_is_said, m.parts))) for m in messages)
    return "\n\n".join(text for text in texts if text)


def last_asked(inputs: Iterable[Message]) -> list[Message]:
    """The last message of the user; empty where there is none."""
    return [message for message in inputs if message.role == "user"][-1:]


def _is_said(of: Part) -> bool:
    return of.call is None and of.type != "reasoning"


def shown(of: Part) -> str:
    """Its text, else what it is."""
    return f"[{of.type}]" if of.text is None else of.text
