"""A trace's spans to its row and the rows of its runs. Pure, and the same whatever order the spans came in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from runspan.viewer.store.facts import Facts

Number = TypeVar("Number", int, float)

SUMMED = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost")


@dataclass(frozen=True, slots=True)
class Light:
    """What is needed of a span to sum its trace up."""

    span: bytes
    parent: bytes | None
    start_ns: int
    end_ns: int
    kind: str
    name: str
    is_error: bool
    service: str
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run, or one model call outside of any."""

    light: Light
    facts: Facts  # with the sums of the model calls below it
    tools: int  # calls


@dataclass(frozen=True, slots=True)
class Summary:
    """A trace in short. `owners`: span -> the span of the run it belongs to."""

    start_ns: int
    end_ns: int
    spans: int
    errors: int
    name: str
    service: str
    tokens: int | None
    cost: float | None
    runs: Mapping[bytes, RunRow] = field(default_factory=dict)
    owners: Mapping[bytes, bytes] = field(default_factory=dict)


def summarise(lights: Mapping[bytes, Light]) -> Summary:
    """`lights` by span id, at least one."""
    owners = _owners(lights)
    runs = _runs(lights, owners)
    roots = [light for light in lights.values() if light.parent is None or light.parent not in lights]
    root = min(roots or lights.values(), key=lambda light: (light.parent is not None, light.start_ns))
    rows = runs.values()
    return Summary(
        min((light.start_ns for light in lights.values() if light.start_ns), default=0),
        max(light.end_ns for light in lights.values()),
        len(lights),
        sum(light.is_error for light in lights.values()),
        root.name,
        root.service,
        total(total_tokens(run.facts) for run in rows),
        total(run.facts.cost for run in rows),
        runs,
        owners,
    )


def total_tokens(facts: Facts) -> int | None:
    """Input and output; None where neither is known."""
    return total((facts.input_tokens, facts.output_tokens))


def _runs(lights: Mapping[bytes, Light], owners: Mapping[bytes, bytes]) -> dict[bytes, RunRow]:
    below: dict[bytes, list[Light]] = {}
    for span, owner in owners.items():
        below.setdefault(owner, []).append(lights[span])
    return {owner: _run(lights[owner], spans) for owner, spans in below.items()}


def _owners(lights: Mapping[bytes, Light]) -> dict[bytes, bytes]:
    """Each span's nearest run at or above it; a model call without one is its own."""
    nearest: dict[bytes, bytes | None] = {}
    for start in lights:
        path: list[bytes] = []
        walked: set[bytes] = set()
        at: bytes | None = start
        owner: bytes | None = None
        while at is not None and at in lights and at not in walked:
            if at in nearest:
                owner = nearest[at]
                break
            path.append(at)
            walked.add(at)
            facts = lights[at].facts
            if facts is not None and facts.sort == "run":
                owner = at
                break
            at = lights[at].parent
        for span in path:
            nearest[span] = owner
    # A model call is one step below a run or stands alone; so do its own children, which are rare.
    found = {span: owner for span, owner in nearest.items() if owner is not None}
    for span, light in lights.items():
        if light.facts is not None and span not in found:
            found[span] = span
    return found


def _run(light: Light, below: list[Light]) -> RunRow:
    assert light.facts is not None  # noqa: S101 - an owner has facts
    own = light.facts
    calls = sorted(
        (
            one
            for one in below
            if one.span != light.span and one.facts is not None and one.facts.sort == "llm"
        ),
        key=lambda one: one.start_ns,
    )
    of_calls = [one.facts for one in calls if one.facts is not None]
    tools = sum(one.kind in ("tool", "find") for one in below)
    if not of_calls:
        return RunRow(light, own, tools)
    changed: dict[str, Any] = {key: total(getattr(facts, key) for facts in of_calls) for key in SUMMED}
    changed = {key: getattr(own, key) if value is None else value for key, value in changed.items()}
    first, last = of_calls[0], of_calls[-1]
    changed["model"] = last.model or own.model
    changed["question"] = own.question or first.question
    changed["answer"] = own.answer or last.answer
    changed["thread"] = own.thread or first.thread
    changed["first_token_s"] = first.first_token_s if own.first_token_s is None else own.first_token_s
    return RunRow(light, msgspec.structs.replace(own, **changed), tools)


def total(values: Iterable[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
