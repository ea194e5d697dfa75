"""Sums of a run, kept up span by span: what arrived is added, and nothing that is there already is read again.

A run's numbers are those of the model calls below it and of the runs inside of it; its own count only where neither
says anything, because agents of other senders repeat the sums of their calls. So a trace counts every call once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from runspan.viewer.store.facts import Facts

Number = TypeVar("Number", int, float)
Amounts = list[list[float]]  # for each of SUMMED: [sum, how many told it]

SUMMED = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost")
COST_DIGITS = 12  # sums of money are kept without the noise of floats


def nothing() -> Amounts:
    """The sums of nothing."""
    return [[0, 0] for _ in SUMMED]


def of_facts(facts: Facts) -> Amounts:
    """What one span says of itself."""
    values = [getattr(facts, name) for name in SUMMED]
    return [[0, 0] if value is None else [value, 1] for value in values]


def add(to: Amounts, more: Amounts, sign: int = 1) -> None:
    """`to` becomes the sum, or with sign -1 the difference."""
    for place, (value, count) in zip(to, more, strict=True):
        place[0] = round(place[0] + sign * value, COST_DIGITS)
        place[1] += sign * count


def known(amounts: Amounts) -> dict[str, Any]:
    """Field -> sum; None where nothing told it."""
    found = {name: value if count else None for name, (value, count) in zip(SUMMED, amounts, strict=True)}
    return {name: value if value is None or name == "cost" else int(value) for name, value in found.items()}


def total(values: Iterable[Number | None]) -> Number | None:
    """The sum of those that are known; None where none is."""
    told = [value for value in values if value is not None]
    return sum(told) if told else None


def has_tokens(facts: Facts | None) -> bool:
    """Whether the span tells its tokens, so that a model call inside of it repeats them."""
    return facts is not None and (facts.input_tokens is not None or facts.output_tokens is not None)


class Call(msgspec.Struct, array_like=True):
    """What a run's row takes of its first and of its last model call. `at`: where the call stands, to find both."""

    at: tuple[int, str]
    model: str
    question: str
    answer: str
    thread: str
    first_token_s: float | None


class Calls(msgspec.Struct, omit_defaults=True):
    """What is known of a run's inside. The same whatever order the spans came in."""

    tools: int = 0
    direct: Amounts = msgspec.field(
        default_factory=nothing
    )  # of the model calls below, not inside another run
    nested: Amounts = msgspec.field(default_factory=nothing)  # of the runs right inside
    first: Call | None = None
    last: Call | None = None

    def take(self, span: bytes, start_ns: int, facts: Facts) -> None:
        """One more model call."""
        add(self.direct, of_facts(facts))
        call = Call(
            (start_ns, span.hex()),
            facts.model,
            facts.question,
            facts.answer,
            facts.thread,
            facts.first_token_s,
        )
        if self.first is None or call.at < self.first.at:
            self.first = call
        if self.last is None or call.at > self.last.at:
            self.last = call

    def amounts(self, own: Facts) -> Amounts:
        """The run's sums: of its calls and inner runs, and its own where neither tells any."""
        summed = [list(pair) for pair in self.direct]
        add(summed, self.nested)
        told = zip(summed, of_facts(own), strict=True)
        return [[inner[0], 1] if inner[1] else alone for inner, alone in told]

    def whole(self, own: Facts) -> Facts:
        """The run's row: its own facts with those of its calls."""
        changed: dict[str, Any] = known(self.amounts(own))
        if self.first is not None and self.last is not None:
            changed["model"] = self.last.model or own.model
            changed["name"] = own.name or changed["model"]
            changed["question"] = own.question or self.first.question
            changed["answer"] = own.answer or self.last.answer
            changed["thread"] = own.thread or self.first.thread
            changed["first_token_s"] = (
                self.first.first_token_s if own.first_token_s is None else own.first_token_s
            )
        return msgspec.structs.replace(own, **changed)
