"""What a recording says and a trace must say, in one shape, so that the two are compared as whole values."""

from __future__ import annotations

from dataclasses import dataclass

Texts = tuple[tuple[str, ...], ...]  # per message, per text part
TERMINAL = frozenset({"completed", "failed", "cancelled", "expired", "incomplete"})


@dataclass(frozen=True)
class RunFacts:
    id: str
    status: str
    end_was_seen: bool
    error_type: str | None  # of a run whose end was seen
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    outputs: Texts
    tool_calls: tuple[str, ...]  # ids, sorted


@dataclass(frozen=True)
class Facts:
    runs: tuple[RunFacts, ...]  # in the order they were created
    failed_creates: int  # POSTs of a run that were answered with 4xx or 5xx
    failed_writes: int  # other writes that were
    tokens: tuple[int, int]  # input and output, summed over everything
    odd: tuple[str, ...] = ()  # what has no place in any trace
