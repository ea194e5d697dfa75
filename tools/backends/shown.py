"""What a backend shows of runs and of background Responses, held against what the API said of each (`app.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from backends.report import At, Check
from backends.told import Seen, Told, agreeing

Reads = Mapping[str, Callable[[Seen], Any]]  # what the API says of a run -> where the backend shows it


def key(name: str) -> Callable[[Seen], Any]:
    return lambda seen: seen.attributes.get(name)


# What all of them keep as it was sent.
COMMON: Reads = {
    "model": key("gen_ai.response.model"),
    "error": key("error.type"),
    "session": key("session.id"),
}


def in_words(texts: Iterable[Any], names: Iterable[Any] = ()) -> str:
    """Of messages that hold texts or calls: the texts, else the names of the functions called."""
    return "\n".join(text for text in texts if text) or "\n".join(names)


def generations(at: At, told: Told, seen: list[Seen], reads: Reads) -> Iterator[Check]:
    """One generation for each run, with all that the API said of it, at its place, for as long as it took."""
    made: list[dict[str, Any]] = told.more["asked"]
    of_chats = [s for s in seen if s.attributes.get("gen_ai.operation.name") == "chat"]
    spans = [[s for s in of_chats if s.attributes.get("gen_ai.response.id") == one["id"]] for one in made]
    yield at.same("one generation each", *agreeing([(1, len(each)) for each in spans]))
    pairs = [(one, each[0]) for one, each in zip(made, spans, strict=True) if each]
    for what, read in {**COMMON, **reads}.items():
        yield at.same(f"  {what}", *agreeing([(one[what], read(span)) for one, span in pairs]))
        if what.startswith("tokens"):
            total = sum(one[what] or 0 for one in made)
            yield at.same(f"  {what}, all spans", total, sum(read(span) or 0 for span in seen))
    names = {span.span: span.name for span in seen}
    above = [(one["above"], names.get(span.parent or "")) for one, span in pairs]
    yield at.same("  below the span of the app or the agent", *agreeing(above))
    lasts = [(True, 0 < (span.duration_ns or 0) < one["took_s"] * 1e9) for one, span in pairs]
    yield at.same("  no longer than the app waited", *agreeing(lasts))
    tools = [[s.attributes.get("gen_ai.tool.name"), names.get(s.parent or "")] for s in seen if _is_tool(s)]
    yield at.same("  tools, and the spans above", told.more["tools"], sorted(tools))


def _is_tool(seen: Seen) -> bool:
    return seen.attributes.get("gen_ai.operation.name") == "execute_tool"
