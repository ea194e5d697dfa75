"""Messages in the GenAI parts schema to one line each: (role, text).

The schema (semantic-conventions-genai, `gen_ai.input.messages` and siblings): a JSON string of
`[{"role", "parts": [{"type", ...}]}]`; system instructions are the bare parts. The rest is shown as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Message = tuple[str, str]  # role, text


def read_messages(value: object) -> list[Message]:
    """The messages of one attribute, in order; none when it is absent."""
    data = parse(value)
    if data is None:
        return []
    if not isinstance(data, list):
        return [("?", show(data))]
    return [_message(item) for item in data]


def read_instructions(value: object) -> list[Message]:
    """System instructions as messages of the system."""
    data = parse(value)
    if data is None:
        return []
    return [("system", " ".join(map(_part, data)) if isinstance(data, list) else show(data))]


def parse(value: object) -> Any:
    """A JSON string's value; other strings and values as they are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def show(value: object) -> str:
    """Any value as text: strings bare, the rest as compact JSON where it can be."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=repr)
    except (TypeError, ValueError, RecursionError):  # keys that are no text, circles, depth
        return f"[{type(value).__name__}]"


def _message(message: Any) -> Message:
    if not isinstance(message, dict):
        return "?", show(message)
    parts = message.get("parts", message.get("content", ""))
    text = " ".join(map(_part, parts)) if isinstance(parts, list) else show(parts)
    return show(message.get("role", "?")), text


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return show(part)
    kind = show(part.get("type", "?"))
    draw = PARTS.get(kind)
    if draw is not None:
        return draw(part)
    text = part.get("content", part.get("text"))
    return f"[{kind}]" if text is None else f"[{kind}] {show(text)}"


def _call(part: Mapping[str, Any]) -> str:
    arguments = part.get("arguments")
    return f"{show(part.get('name', '?'))}({'' if arguments is None else show(arguments)})"


def _reference(key: str) -> Callable[[Mapping[str, Any]], str]:
    """Media stand as what they are and where: `[image file-abc]`."""

    def draw(part: Mapping[str, Any]) -> str:
        facts = (part.get("modality", part["type"]), part.get("mime_type"), part.get(key))
        return f"[{' '.join(show(fact) for fact in facts if fact is not None)}]"

    return draw


PARTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "text": lambda part: show(part.get("content", "")),
    "tool_call": _call,
    "tool_call_response": lambda part: show(part.get("response", "")),
    "server_tool_call": lambda part: _call({**part, "arguments": part.get("server_tool_call")}),
    "server_tool_call_response": lambda part: show(part.get("server_tool_call_response", "")),
    "blob": _reference("sha256"),  # never the content, which is base64
    "file": _reference("file_id"),
    "uri": _reference("uri"),
}
