"""Run steps: what several looks at one of them say together."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from .model import RunStep, ToolCall


def merge(known: RunStep, new: RunStep) -> RunStep:
    """The later word holds, but one that has not ended never replaces one that has, and what it leaves out stays."""
    newer, older = (known, new) if known.ended_at is not None and new.ended_at is None else (new, known)
    kept: dict[str, Any] = {
        name: getattr(older, name) for name in newer.__struct_fields__ if getattr(newer, name) in (None, ())
    }
    kept["seen_ns"] = known.seen_ns if known.seen_ns is not None else new.seen_ns
    kept["done_ns"] = known.done_ns if known.done_ns is not None else new.done_ns
    if newer.tool_calls:
        before = {call.id: call for call in older.tool_calls}
        kept["tool_calls"] = tuple(_merge_call(before.get(call.id), call) for call in newer.tool_calls)
    return replace(newer, **kept)


def _merge_call(known: ToolCall | None, new: ToolCall) -> ToolCall:
    """File contents are in some answers only (`include=`); one without them takes nothing away."""
    if known is None or not any(document.text is not None for document in known.documents):
        return new
    if any(document.text is not None for document in new.documents):
        return new
    return replace(new, documents=known.documents)
