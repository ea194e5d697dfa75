"""Threads as lines of JSON: chat messages (evals, fine-tuning) and items of conversations. What has no place there is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runspan.viewer.threads import Message, Thread

CHUNK = 20  # items that one request to a conversation takes
Part = Mapping[str, Any]


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """A thread that can't be written whole. `names`: of the parts that have no place."""

    def __init__(self, names: Mapping[str, None]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


def name_of(part: Part) -> str:
    """What a part is called where it is refused: `server_tool_call code_interpreter`, `file image`."""
    more = part.get("name") if str(part.get("type", "")).startswith("server_tool") else part.get("modality")
    return " ".join(str(word) for word in (part.get("type", "unknown"), more) if word)


class _Writer:
    """Collects what has no place; `dropped` are the names (or first words of them) that may be left out."""

    def __init__(self, dropped: frozenset[str]) -> None:
        self._dropped = dropped
        self.refused: dict[str, None] = {}

    def refuse(self, name: str) -> None:
        if name not in self._dropped and name.partition(" ")[0] not in self._dropped:
            self.refused[name] = None


# ---------------------------------------------------------------- chat


def chat(thread: Thread, dropped: frozenset[str] = frozenset()) -> Iterator[str]:
    """One line: `{"messages": [...], "tools": [...]}`, as fine-tuning takes it. Raises Refusal."""
    writer = _Writer(dropped)
    messages: list[dict[str, Any]] = []
    if thread.system:
        messages.append({"role": "system", "content": thread.system})
    for message in thread.messages:
        messages += _chat(message, writer)
    for lack in thread.lacks:
        writer.refuse(lack)
    if not any(message["role"] == "assistant" for message in messages):
        writer.refuse("no answer")
    if writer.refused:
        raise Refusal(writer.refused)
    if not messages:
        return
    line: dict[str, Any] = {"messages": messages}
    functions = [tool for tool in thread.tools if tool.get("type") == "function"]
    if functions:
        line["tools"] = [{"type": "function", "function": _without(tool, "type")} for tool in functions]
    yield json.dumps(line, ensure_ascii=False)


def _chat(message: Message, writer: _Writer) -> Iterator[dict[str, Any]]:
    role, content, calls = str(message.get("role", "user")), list[dict[str, Any]](), list[dict[str, Any]]()
    refusal = None
    for part in _parts(message):
        kind = part.get("type")
        if kind == "text" and part.get("refusal") is True:
            refusal = str(part.get("content") or "")
        elif kind == "text":
            content.append({"type": "text", "text": str(part.get("content") or "")})
        elif kind == "uri" and part.get("modality") == "image" and role == "user":
            content.append({"type": "image_url", "image_url": {"url": part.get("uri")}})
        elif kind == "tool_call":
            function = {"name": part.get("name"), "arguments": _text(part.get("arguments"))}
            calls.append({"id": part.get("id"), "type": "function", "function": function})
        elif kind == "tool_call_response":
            yield {"role": "tool", "tool_call_id": part.get("id"), "content": _text(part.get("response"))}
        else:
            writer.refuse(name_of(part))
    if content or calls or refusal is not None:
        said: dict[str, Any] = {"role": role, "content": _joined(content)}
        if calls:
            said["tool_calls"] = calls
        if refusal is not None:
            said["refusal"] = refusal
        yield said


def _joined(content: list[dict[str, Any]]) -> Any:
    """Texts alone are one text."""
    if all(part["type"] == "text" for part in content):
        return "\n".join(part["text"] for part in content) if content else None
    return content


# ---------------------------------------------------------------- items


def items(thread: Thread, dropped: frozenset[str] = frozenset()) -> Iterator[str]:
    """Lines of 20 items: `{"thread", "chunk", "chunks", "items"}`, each a body of `POST /conversations/{id}/items`. Raises Refusal.

    Instructions are no items: they belong to the prompt.
    """
    writer = _Writer(dropped)
    made = [item for message in thread.messages for item in _items(message, writer)]
    for lack in thread.lacks:
        writer.refuse(lack)
    if writer.refused:
        raise Refusal(writer.refused)
    chunks = [made[at : at + CHUNK] for at in range(0, len(made), CHUNK)]
    for number, chunk in enumerate(chunks, 1):
        line = {"thread": thread.id, "chunk": number, "chunks": len(chunks), "items": chunk}
        yield json.dumps(line, ensure_ascii=False)


def _items(message: Message, writer: _Writer) -> Iterator[dict[str, Any]]:
    role = str(message.get("role", "user"))
    content: list[dict[str, Any]] = []
    for part in _parts(message):
        reader = _CONTENT.get(str(part.get("type")))
        made = reader(part, role) if reader is not None else None
        if made is not None:
            content.append(made)
            continue
        if content and part.get("type") in ("tool_call", "tool_call_response"):
            yield {"type": "message", "role": role, "content": content}
            content = []
        if part.get("type") == "tool_call":
            call = {"call_id": part.get("id"), "name": part.get("name")}
            yield {"type": "function_call", **call, "arguments": _text(part.get("arguments"))}
        elif part.get("type") == "tool_call_response":
            output = _text(part.get("response"))
            yield {"type": "function_call_output", "call_id": part.get("id"), "output": output}
        else:
            writer.refuse(name_of(part))
    if content:
        yield {"type": "message", "role": role, "content": content}


def _text_item(part: Part, role: str) -> dict[str, Any]:
    said = str(part.get("content") or "")
    if part.get("refusal") is True:
        return {"type": "refusal", "refusal": said}
    return {"type": "output_text" if role == "assistant" else "input_text", "text": said}


def _file_item(part: Part, role: str) -> dict[str, Any] | None:
    if role == "assistant" or not part.get("file_id"):
        return None
    kind = {"image": "input_image", "document": "input_file"}.get(str(part.get("modality")))
    return {"type": kind, "file_id": part["file_id"]} if kind else None


def _uri_item(part: Part, role: str) -> dict[str, Any] | None:
    is_image = part.get("modality") == "image" and role != "assistant"
    return {"type": "input_image", "image_url": part.get("uri")} if is_image else None


_CONTENT: Mapping[str, Callable[[Part, str], dict[str, Any] | None]] = {
    "text": _text_item,
    "file": _file_item,
    "uri": _uri_item,
}


# ---------------------------------------------------------------- pieces


def _parts(message: Message) -> Iterator[Part]:
    return (part for part in message["parts"] if isinstance(part, dict))


def _text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(value if value is not None else {}, ensure_ascii=False)
    )


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
