"""Items that are calls of tools: those that the server ran, and those that it asks the app for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import asdict, replace

from ...core import blobs
from ...core.fields import Wire, ident, items, mapping, real, text, text_in, texts, without_nulls
from ...core.jsontext import dumps
from ...core.model import ApiError, Document, Part, ToolCall
from ..objects import error as error_of
from . import parts

FUNCTION = "function"  # whatever the app answers is a function of its own
_OF_APPS = ("function_call", "custom_tool_call")
CALL, OUTPUT = "_call", "_output"
_OBJECT = (dict, Mapping)  # the latter is of an app; to ask for it alone costs a call of Python
_NO_ARGUMENTS = (
    *("id", "type", "call_id", "status", "error", "output", "caller", "created_by"),
    *("agent_reference", "response_id", "partition_key", "encrypted_content", "fingerprint"),
)


def is_call(item: Wire) -> bool:
    kind = text(item, "type") or ""
    return kind.endswith(CALL) or kind == "mcp_list_tools"


def is_output(item: Any) -> bool:
    """Whether it brings what a tool gave back."""
    return isinstance(item, _OBJECT) and str(item.get("type", "")).endswith(CALL + OUTPUT)


def asks_app(item: Wire) -> bool:
    """Whether the app is to run it: a function, or what has an id to answer to; not what a program of the server calls."""
    is_of_program = text_in(item, "caller", "type") == "program"
    is_of_server = text(item, "execution") == "server"
    is_asked = text(item, "type") in _OF_APPS or (is_call(item) and bool(ident(item, "call_id")))
    return is_asked and not is_of_program and not is_of_server


def of_app(item: Wire) -> ToolCall:
    """A call that the app answers."""
    kind = text(item, "type") or FUNCTION + CALL
    given = _given(item, "arguments" if kind == "function_call" else "input")
    is_growing = text(item, "status") == "in_progress"
    return ToolCall(
        ident(item, "call_id"),
        FUNCTION,
        text(item, "name") or kind.removesuffix(CALL),
        _json(_said(item)) if given is None else given,
        is_incomplete=is_growing or text(item, "status") == "incomplete",
    )


def _given(item: Wire, key: str) -> str | None:
    """A text; of servers that send an object in its place, its JSON."""
    value = item.get(key)
    return value if value is None or isinstance(value, str) else dumps(value)


def output(item: Wire) -> ToolCall:
    """What the app, or the server, gave back for the call of that id."""
    return ToolCall(ident(item, "call_id"), FUNCTION, output=_output(item.get("output")))


def _output(said: Any) -> str:
    """A text; parts by their texts, unless they are of another kind; all else as JSON."""
    if isinstance(said, str):
        return said
    if (
        isinstance(said, list)
        and said
        and all(text(p, "text") is not None for p in items({"of": said}, "of"))
    ):
        return parts.plain(said)
    if isinstance(said, dict) and text(said, "type") == "computer_screenshot":
        return dumps(dict(parts.part({**said, "type": "input_image"}).fields))
    if isinstance(said, list):
        return dumps([parts.shown(one) for one in said])
    return "" if said is None else dumps(without_nulls(said))


def of_server(item: Wire) -> ToolCall:
    """A call that the server ran. Of a tool that we don't know, everything it says is its arguments."""
    kind = text(item, "type") or "unknown"
    return _READERS.get(kind, _other)(item, kind.removesuffix(CALL))


def error(item: Wire) -> ApiError | None:
    """Why it failed; an MCP server says it in parts."""
    found = error_of(item.get("error"))
    if found is None or found.message is not None:
        return found
    return replace(found, message=parts.plain(mapping(item, "error").get("content")) or None)


def _search_web(item: Wire, name: str) -> ToolCall:
    action = dict(mapping(item, "action"))
    sources = action.pop("sources", None)
    found = dumps(without_nulls(sources)) if isinstance(sources, list) and sources else None
    return ToolCall(ident(item), name, name, _json(action), found)


def _search_files(item: Wire, name: str) -> ToolCall:
    queries = list(texts(item, "queries"))
    documents = tuple(map(_document, items(item, "results")))
    return ToolCall(
        ident(item), name, name, _json({"queries": queries}) if queries else None, documents=documents
    )


def _document(wire: Wire) -> Document:
    return Document(text(wire, "file_id"), text(wire, "filename"), real(wire, "score"), text(wire, "text"))


def _run_code(item: Wire, name: str) -> ToolCall:
    outputs = tuple(map(_code_output, items(item, "outputs")))
    return ToolCall(ident(item), name, name, text(item, "code"), outputs=outputs)


def _code_output(wire: Wire) -> Part:
    kind = text(wire, "type") or "unknown"
    return Part(kind, text(wire, "logs")) if kind == "logs" else parts.part(wire)


def _use_server(item: Wire, _: str) -> ToolCall:
    return ToolCall(ident(item), "mcp", text(item, "name"), _given(item, "arguments"), _given(item, "output"))


def _list_tools(item: Wire, name: str) -> ToolCall:
    names = [text(tool, "name") for tool in items(item, "tools")]
    server = {"server_label": text(item, "server_label")}
    return ToolCall(ident(item), "mcp", name, _json(server), dumps(names) if names else None)


def _draw(item: Wire, name: str) -> ToolCall:
    """Of the image what it is, never the image."""
    said, image, kind = _said(item), text(item, "result"), text(item, "output_format")
    said.pop("result", None)
    mime_type = f"image/{kind}" if kind else None
    shown = None if image is None else dumps(asdict(blobs.of_base64(image, mime_type)))
    return ToolCall(ident(item), name, name, _json(said), shown)


def _other(item: Wire, name: str) -> ToolCall:
    said = item.get("output")
    given = _given(item, "arguments") or _json(_said(item))
    return ToolCall(
        ident(item), name, text(item, "name") or name, given, None if said is None else _output(said)
    )


def _said(item: Wire) -> dict[str, Any]:
    """All that it says of itself beside ids and results."""
    return {k: v for k, v in without_nulls(dict(item)).items() if k not in _NO_ARGUMENTS}


def _json(said: Mapping[str, Any]) -> str | None:
    known = without_nulls(dict(said))
    return dumps(known) if known else None


_READERS: Mapping[str, Callable[[Wire, str], ToolCall]] = {
    "web_search_call": _search_web,
    "file_search_call": _search_files,
    "code_interpreter_call": _run_code,
    "image_generation_call": _draw,
    "mcp_call": _use_server,
    "mcp_list_tools": _list_tools,
}
