"""Messages, instructions and tool definitions as compact JSON in the GenAI parts schema.

A span attribute is a string with a limit, so values are cut inside their parts until the JSON fits: it always stays valid.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..core.model import Message, Part, ToolCall
from ..core.redact import clean, cut

Json = Any


def dumps(value: Json) -> str:
    """Compact, readable in every script, and encodable as UTF-8."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    except ValueError:  # NaN and infinities are JSON for Python alone
        text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), default=str)
    return clean(text)


def _finite(value: Json) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def part(of: Part) -> Json:
    """One part; a type without a row keeps its own name and fields (the schema's generic part)."""
    if of.text is None and of.type in ("text", "refusal"):
        return {"type": of.type}
    return _PARTS.get(of.type, _generic)(of)


def _text(of: Part) -> Json:
    return {"type": "text", "content": of.text, **of.fields}


def _refusal(of: Part) -> Json:
    return {"type": "text", "content": of.text, "refusal": True, **of.fields}


def _image_file(of: Part) -> Json:
    return {"type": "file", "modality": "image", **of.fields}


def _generic(of: Part) -> Json:
    return {**of.fields, "type": of.type}


_PARTS: Mapping[str, Callable[[Part], Json]] = {"text": _text, "refusal": _refusal, "image_file": _image_file}


def message(of: Message) -> Json:
    whole: dict[str, Json] = {"role": of.role, "parts": [part(p) for p in of.parts]}
    if of.status == "incomplete":
        whole["incomplete"] = True
    return whole


def answers(of: Sequence[Message], finish_reason: str | None) -> list[Json]:
    """Output messages. `finish_reason` is deprecated in them, but Phoenix leaves out the whole list where one lacks it."""
    cut_or_last = [m.status == "incomplete" or m is of[-1] for m in of]
    return [
        {**message(m), "finish_reason": (finish_reason or "error") if ended else "stop"}
        for m, ended in zip(of, cut_or_last, strict=True)
    ]


def tool_call_message(calls: Iterable[ToolCall]) -> Json:
    """The calls a Run still waits for, as its last message."""
    parts = [
        {"type": "tool_call", "id": c.id, "name": c.name, "arguments": arguments(c.arguments)} for c in calls
    ]
    return {"role": "assistant", "parts": parts, "finish_reason": "tool_call"}


def arguments(text: str | None) -> Json:
    """Function arguments as the object they are, if they are valid JSON (models make mistakes)."""
    try:
        return text and json.loads(text)
    except (ValueError, RecursionError):
        return text


def is_json(text: str) -> bool:
    """Whether it is a JSON object or list; a bare number or word is a text that happens to be JSON."""
    return text.lstrip()[:1] in ("{", "[") and not isinstance(arguments(text), str)


def definitions(tools: Iterable[Mapping[str, Any]]) -> Json:
    """`{"type": "function", "function": {...}}` becomes flat; the others are named by their type."""
    flat = []
    for tool in tools:
        kind = str(tool.get("type") or "unknown")
        body = tool.get(kind)
        flat.append({"type": kind, "name": kind, **(body if isinstance(body, dict) else {})})
    return flat


def fit(value: list[Json] | dict[str, Json], max_chars: int) -> str | None:
    """JSON of `value` in at most `max_chars` characters: long texts are cut first, then the first items left out.

    None: nothing of it fits.
    """
    whole = dumps(value)
    budget = max_chars
    while len(whole) > max_chars and budget > 32:
        budget //= 2
        whole = dumps(_cut_texts(value, budget))
    if len(whole) <= max_chars:
        return whole
    items = value if isinstance(value, list) else list(value.items())
    sizes = [
        len(dumps(_cut_texts(item if isinstance(value, list) else dict([item]), budget))) for item in items
    ]
    left, kept = max_chars - 2, 0
    for size in reversed(sizes):  # an item costs itself and a comma; a pair's braces pay for that
        left -= size + 1 if isinstance(value, list) else size - 1
        if left < -1:
            break
        kept += 1
    rest = items[len(items) - kept :]
    return dumps(_cut_texts(rest if isinstance(value, list) else dict(rest), budget)) if kept else None


def _cut_texts(value: Json, max_chars: int) -> Json:
    if isinstance(value, str):
        return cut(value, max_chars)
    if isinstance(value, Mapping):
        return {k: _cut_texts(v, max_chars) for k, v in value.items()}
    if isinstance(value, Sequence):
        return [_cut_texts(v, max_chars) for v in value]
    return value


def plain(messages: Iterable[Message]) -> str:
    """The texts alone, one message a paragraph, for readers that show plain input and output."""
    return "\n\n".join(t for m in messages if (t := "\n".join(p.text or f"[{p.type}]" for p in m.parts)))
