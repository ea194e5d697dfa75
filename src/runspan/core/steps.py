"""Run steps: what several looks at one of them say together, and which of them a page lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from . import ids
from .model import Observation, RunStep, ToolCall
from .order import lean, next_of, queues


def recognised(known: Mapping[str, RunStep], seen: Observation) -> tuple[RunStep, ...]:
    """The steps of an answer, oldest first, under the keys of those that they are among the run's.

    The second step of an id is another one. A step that a page of all would have to list stands in it under another id.
    """
    steps = _each_once(seen.steps)
    if seen.all_steps and not seen.is_ordered:
        at = {id_: float(n) for n, id_ in enumerate(known)}
        if lean(at.get(step.id) for step in steps) < 0:  # what a stream told
            steps.reverse()
    numbering = ids.Numbering()
    told = [replace(step, id=numbering.key(step.id)) for step in steps]
    return tuple(_renamed(known, told) if seen.all_steps else told)


def _each_once(listed: Iterable[RunStep]) -> list[RunStep]:
    """A page may list one twice, word for word."""
    last: dict[str, RunStep] = {}
    once: list[RunStep] = []
    for step in listed:
        if not step.id or last.get(step.id) != step:
            once.append(step)
        last[step.id] = step
    return once


def _renamed(known: Mapping[str, RunStep], told: list[RunStep]) -> list[RunStep]:
    listed = {step.id for step in told}
    left = queues((step.type, step) for key, step in known.items() if key not in listed)
    found: list[RunStep] = []
    for step in told:
        same = left.get(step.type)
        if step.id not in known and same and _may_be(same[0], step):
            step = replace(step, id=same.popleft().id)
        found.append(step)
    return found


def _may_be(known: RunStep, told: RunStep) -> bool:
    """Not where both say what they did, and it is not the same."""
    calls = [[(c.type, c.name, c.arguments) for c in step.tool_calls] for step in (known, told)]
    return not all(calls) or calls[0] == calls[1]


def merge(known: RunStep, new: RunStep) -> RunStep:
    """The later word holds, but one that has not ended never replaces one that has, and what it leaves out stays."""
    newer, older = (known, new) if known.ended_at is not None and new.ended_at is None else (new, known)
    kept: dict[str, Any] = {
        name: getattr(older, name) for name in newer.__struct_fields__ if getattr(newer, name) in (None, ())
    }
    kept["id"] = known.id
    # The first word of both.
    for arrival, since in (("seen_ns", "seen_since_ns"), ("done_ns", "done_since_ns")):
        of = known if getattr(known, arrival) is not None else new
        kept |= {arrival: getattr(of, arrival), since: getattr(of, since)}
    if newer.tool_calls:
        before = queues((call.id, call) for call in older.tool_calls)
        kept["tool_calls"] = tuple(_merge_call(next_of(before, call.id), call) for call in newer.tool_calls)
    return replace(newer, **kept)


def _merge_call(known: ToolCall | None, new: ToolCall) -> ToolCall:
    """File contents are in some answers only (`include=`); one without them takes nothing away."""
    if known is None or not any(document.text is not None for document in known.documents):
        return new
    if any(document.text is not None for document in new.documents):
        return new
    return replace(new, documents=known.documents)
