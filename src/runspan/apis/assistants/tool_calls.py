"""Tool calls on the wire, of `required_action` and of run steps: each type of tool keeps its own words under its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...core.fields import Wire, ident, items, mapping, real, text, without_nulls
from ...core.jsontext import dumps
from ...core.model import Document, Part, ToolCall


def tool_call(wire: Wire) -> ToolCall:
    """A call as the API gives it. Of a tool that we don't know, everything it says is its arguments."""
    kind = text(wire, "type") or "function"
    read = _TOOLS.get(kind)
    return read(wire, kind, mapping(wire, kind)) if read is not None else _unknown(wire, kind)


def _function(wire: Wire, kind: str, body: Wire) -> ToolCall:
    return ToolCall(ident(wire), kind, text(body, "name"), text(body, "arguments"), text(body, "output"))


def _code(wire: Wire, kind: str, body: Wire) -> ToolCall:
    outputs = tuple(map(code_output, items(body, "outputs")))
    return ToolCall(ident(wire), kind, kind, text(body, "input"), outputs=outputs)


def code_output(wire: Wire) -> Part:
    """`logs` with their text, `image` with its file id, other kinds with what they say."""
    kind = text(wire, "type") or "unknown"
    if kind == "logs":
        return Part(kind, text(wire, kind))
    known = mapping(wire, kind)
    return Part(kind, None, known or {k: v for k, v in wire.items() if k not in ("type", "index")})


def _search(wire: Wire, kind: str, body: Wire) -> ToolCall:
    """What is known of the search itself is how it ranked; the API never tells the query."""
    options = without_nulls({k: v for k, v in body.items() if k != "results"})
    documents = tuple(map(_document, items(body, "results")))
    return ToolCall(ident(wire), kind, kind, dumps(options) if options else None, documents=documents)


def _document(wire: Wire) -> Document:
    chunks = [chunk for part in items(wire, "content") if (chunk := text(part, "text")) is not None]
    return Document(
        text(wire, "file_id") or "",
        text(wire, "file_name"),
        real(wire, "score"),
        "\n\n".join(chunks) if chunks else None,
    )


def _unknown(wire: Wire, kind: str) -> ToolCall:
    said = wire.get(kind) or {k: v for k, v in wire.items() if k not in ("id", "type", "index")}
    return ToolCall(ident(wire), kind, kind, dumps(said) if said else None)


_TOOLS: Mapping[str, Callable[[Wire, str, Wire], ToolCall]] = {
    "function": _function,
    "code_interpreter": _code,
    "file_search": _search,
    "retrieval": _search,  # its name in the API's first version
}
