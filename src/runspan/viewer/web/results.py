"""What went into a tool, a search or any other span, and what came out, as texts to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from runspan.viewer.dialects import normal
from runspan.viewer.kinds import is_error, word
from runspan.viewer.messages import parse, show
from runspan.viewer.spans import Span
from runspan.viewer.web.render import pretty

ARGUMENTS = ("gen_ai.tool.call.arguments", "input.value")
RESULT = ("gen_ai.tool.call.result", "output.value")
MAX_DOCUMENTS = 100
NAMES = ("file_name", "name", "title", "id", "file_id")  # of a document, the most telling first


@dataclass(frozen=True, slots=True)
class Block:
    """A text under a title. `form`: json, code, logs, text."""

    title: str
    text: str
    form: str = "text"


@dataclass(frozen=True, slots=True)
class Document:
    """Something retrieved."""

    name: str
    score: str
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool call as a step of a conversation."""

    span_id: str
    name: str
    arguments: str
    result: str
    took_s: float
    is_error: bool


def tools(spans: Iterable[Span]) -> list[Tool]:
    """The tool calls among these, by start."""
    return [
        Tool(
            span.span_id,
            show(span.attributes.get("gen_ai.tool.name") or span.name),
            _first(span, ARGUMENTS),
            _short(span),
            max(0, span.end_ns - span.start_ns) / 1e9,
            is_error(span),
        )
        for span in map(normal, spans)
        if word(span)[0] in ("tool", "find", "guard", "rank")
    ]


def blocks(span: Span, kind: str) -> Iterator[Block]:
    given, got = _first(span, ARGUMENTS), _first(span, RESULT)
    is_code = span.attributes.get("gen_ai.tool.name") == "code_interpreter"
    if given:
        title = "Code" if is_code else "Arguments" if kind == "tool" else "Input"
        yield Block(title, given if is_code else pretty(given), "code" if is_code else _form(given))
    if is_code and isinstance(outputs := parse(got), list):
        yield from map(_output, outputs)
    elif got:
        yield Block("Result" if kind == "tool" else "Output", pretty(got), _form(got))


def _short(span: Span) -> str:
    """A tool's result as a step of a conversation: what code printed, what a search found, else the text."""
    result = _first(span, RESULT)
    if isinstance(outputs := parse(result), list):
        printed = [
            show(of.get("logs", "")) for of in outputs if isinstance(of, dict) and of.get("type") == "logs"
        ]
        names = [document.name for document in documents(span) if document.name]
        return "\n".join(printed) or ", ".join(names) or result
    return result


def _output(of: Any) -> Block:
    if isinstance(of, dict) and of.get("type") == "logs":
        return Block("Logs", show(of.get("logs", "")), "logs")
    name = show(of.get("type", "output")).capitalize() if isinstance(of, dict) else "Output"
    return Block(name, pretty(show(of)), "json")


def _form(value: str) -> str:
    return "json" if isinstance(parse(value), dict | list) else "text"


def documents(span: Span) -> Iterator[Document]:
    """What a search found, by the GenAI conventions, else by OpenInference's."""
    data = parse(span.attributes.get("gen_ai.retrieval.documents"))
    if not isinstance(data, list) and span.attributes.get("gen_ai.tool.name") == "file_search":
        data = parse(_first(span, RESULT))
    if isinstance(data, list):
        yield from map(_document, data[:MAX_DOCUMENTS])
        return
    for at in range(MAX_DOCUMENTS):
        prefix = f"retrieval.documents.{at}.document."
        found = {
            key[len(prefix) :]: value for key, value in span.attributes.items() if key.startswith(prefix)
        }
        if not found:
            return
        yield _document(found)


def _document(of: Any) -> Document:
    if not isinstance(of, dict):
        return Document("", "", show(of))
    about = parse(of.get("metadata"))
    known = {**about, **of} if isinstance(about, dict) else of
    name = next((known[key] for key in NAMES if known.get(key)), "")
    content = of.get("content", of.get("text", ""))
    if isinstance(content, list):
        content = "\n".join(
            show(part.get("text", part) if isinstance(part, dict) else part) for part in content
        )
    score = of.get("score")
    return Document(show(name), f"{score:.3g}" if isinstance(score, int | float) else "", show(content))


def _first(span: Span, keys: Iterable[str]) -> str:
    return next((show(span.attributes[key]) for key in keys if span.attributes.get(key) is not None), "")
