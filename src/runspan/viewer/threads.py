"""Whole threads out of the store: what was said in all runs of one, each message once, in the parts of the GenAI conventions."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runspan.viewer.dialects import normal
from runspan.viewer.messages import parse
from runspan.viewer.spans import Attributes
from runspan.viewer.store import Run, RunFilter, Store

INPUT, OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
OMITTED, INCOMPLETE = "runspan.input.omitted_messages", "runspan.input.incomplete"
ORIGINAL_LENGTH = "runspan.original_length."
MAX_RUNS = 10_000  # of one thread

Message = Mapping[str, Any]  # {"role", "parts"}


@dataclass(slots=True)
class Thread:
    """`lacks`: what is not whole in it, by name: `cut`, `omitted`, `content`."""

    id: str
    messages: list[Message] = field(default_factory=list)
    system: str = ""  # of its last run
    tools: list[Mapping[str, Any]] = field(default_factory=list)  # definitions, as the last run had them
    lacks: dict[str, None] = field(default_factory=dict)


def threads(store: Store, condition: str = "", values: Sequence[Any] = ()) -> Iterator[Thread]:
    """Those that hold a run of this condition on the table of runs, the oldest first. A run without a thread is one of its own."""
    where = f" AND {condition}" if condition else ""
    sql = (
        "SELECT thread, trace, span FROM runs WHERE sort = 'run' AND outer IS NULL"  # noqa: S608 - ours
        f"{where} GROUP BY CASE thread WHEN '' THEN hex(trace) || hex(span) ELSE thread END ORDER BY min(start_ns)"
    )
    for thread, trace, span in store.select(sql, values):
        if thread:
            runs = store.runs(RunFilter(thread=thread, is_ascending=True), MAX_RUNS)
        else:
            run = store.run(trace.hex(), span.hex())
            runs = [] if run is None else [run]
        yield _whole(store, thread or runs[0].run_id, runs)


def _whole(store: Store, id_: str, runs: Sequence[Run]) -> Thread:
    thread = Thread(id_)
    for run in runs:
        if run.outer is None:
            for attributes in _generations(store, run):
                _add(thread, attributes)
    if not thread.messages:
        thread.lacks["content"] = None
    return thread


def _generations(store: Store, run: Run) -> Iterator[Attributes]:
    for span in map(normal, store.run_spans(run.trace, run.span)):
        if INPUT in span.attributes or OUTPUT in span.attributes:
            yield span.attributes


def _add(thread: Thread, attributes: Attributes) -> None:
    given, answered = _messages(attributes, INPUT), _messages(attributes, OUTPUT)
    fresh = _new(thread.messages, given)
    has_hole = fresh[:1] == given[:1] if attributes.get(OMITTED) else not thread.messages
    if has_hole and (attributes.get(OMITTED) or attributes.get(INCOMPLETE)):
        thread.lacks["omitted"] = None
    if any(key.startswith(ORIGINAL_LENGTH) for key in attributes) or any(map(_is_cut, (*given, *answered))):
        thread.lacks["cut"] = None
    thread.messages += fresh
    thread.messages += answered
    system = parse(attributes.get("gen_ai.system_instructions"))
    if isinstance(system, list):
        thread.system = "\n\n".join(str(part.get("content", "")) for part in system if isinstance(part, dict))
    tools = parse(attributes.get("gen_ai.tool.definitions"))
    if isinstance(tools, list):
        thread.tools = [tool for tool in tools if isinstance(tool, dict)]


def _messages(attributes: Attributes, key: str) -> list[Message]:
    found = parse(attributes.get(key))
    rows = found if isinstance(found, list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("parts"), list)]


def _is_cut(message: Message) -> bool:
    return "original_length" in message or any(
        isinstance(part, dict) and ("original_length" in part or part.get("incomplete") is True)
        for part in message["parts"]
    )


def _new(known: Sequence[Message], given: Sequence[Message]) -> list[Message]:
    """Of the history that a run was given, what no run before it was given, or said."""
    places: dict[str, deque[int]] = defaultdict(deque)
    for n, message in enumerate(known):
        places[_key(message)].append(n)
    at, fresh = 0, []
    for message in given:
        found = places[_key(message)]
        while found and found[0] < at:
            found.popleft()
        if found:
            at = found.popleft() + 1
        else:
            fresh.append(message)
    return fresh


def _key(message: Message) -> str:
    return repr((message.get("role"), message["parts"]))
