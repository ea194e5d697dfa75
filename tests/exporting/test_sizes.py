"""How large spans are, and what remains of one that is too large."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from runspan.exporting.sizes import CUT_TO, at_most, encoded, shrunk

from . import made


def value(chance: random.Random) -> Any:
    texts = ["", "a" * chance.randrange(2_000), "ü" * chance.randrange(500), "中🙂" * chance.randrange(500)]
    one = [*texts, True, chance.random(), chance.randrange(1 << 60), -1]
    return chance.choice([*one, chance.choices(texts, k=chance.randrange(5)), [1, 2, 3]])


@pytest.mark.parametrize("seed", range(20))
def test_the_cheap_bound_is_never_below_the_real_size(seed: int) -> None:
    chance = random.Random(seed)
    attributes = [
        {"k" * chance.randrange(1, 80) + str(n): value(chance) for n in range(chance.randrange(20))}
        for _ in range(chance.randrange(1, 30))
    ]
    spans = made.spans(*attributes, resource={"r" * 100: "v" * chance.randrange(3_000)})
    assert encoded(spans) <= at_most(spans)


def test_nor_with_events_links_and_errors() -> None:
    spans = made.rich()
    assert encoded(spans) <= at_most(spans)


def test_a_span_is_cut_until_it_fits_and_says_so() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "x" * 50_000}]}] * 3
    (span,) = made.spans({"messages": json.dumps(messages), "plain": "y" * 50_000, "n": 1, "short": "z"})
    smaller = shrunk(span, 20_000, encoded)
    assert smaller is not None
    assert encoded([smaller]) <= 20_000
    found = dict(smaller.attributes or {})
    assert isinstance(json.loads(str(found["messages"])), list)  # still valid
    assert str(found["plain"]).endswith("…")
    assert len(str(found["plain"])) == found[CUT_TO]
    assert (found["n"], found["short"]) == (1, "z")
    assert (smaller.context, smaller.parent, smaller.name, smaller.start_time, smaller.end_time) == (
        span.context,
        span.parent,
        span.name,
        span.start_time,
        span.end_time,
    )


def test_one_that_never_fits_is_none() -> None:
    (span,) = made.spans({str(n): "x" * 20 for n in range(100)})
    assert shrunk(span, 500, encoded) is None
