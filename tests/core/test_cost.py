"""The owner's prices: how they are read, how a model's is found, and what tokens cost by it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runspan.core.assembly import assemble
from runspan.core.conversation import Conversation
from runspan.core.cost import Price, cost, find, no_price, read
from runspan.core.model import Cost, RunFacts, RunRequest, Usage
from runspan.core.redact import Texts

from .words import S, after, begun, poll

PRICE = Price(input=2.0, output=8.0, cached=0.5)  # USD per million
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("usage", "price", "of_input", "of_output"),
    [
        (Usage(MILLION, MILLION), PRICE, 2.0, 8.0),
        (Usage(MILLION, 0, cached_tokens=400_000), PRICE, 0.6 * 2.0 + 0.4 * 0.5, 0.0),
        (Usage(MILLION, 0, cached_tokens=400_000), Price(2.0, 8.0), 2.0, 0.0),
        (Usage(MILLION, 0, cached_tokens=400_000), Price(2.0, 8.0, 0.0), 1.2, 0.0),
        (Usage(0, MILLION, reasoning_tokens=900_000), PRICE, 0.0, 8.0),
        (Usage(10, 0, cached_tokens=99), PRICE, 10 * 0.5 / MILLION, 0.0),  # more cached than there are
        (Usage(10, 0), Price(2.0, 8.0, 0.0), 20 / MILLION, 0.0),  # none of them cached
        (Usage(0, 0), PRICE, 0.0, 0.0),
    ],
)
def test_each_token_is_paid_once(usage: Usage, price: Price, of_input: float, of_output: float) -> None:
    found = cost(usage, price)
    assert (found.input, found.output, found.total) == pytest.approx(
        (of_input, of_output, of_input + of_output)
    )
    assert (found.currency, found.source, found.date) == ("USD", "user", None)


PRICES = {
    "gpt-4o": {"input": 2, "output": 8.0, "cached": 0.5},
    "my-deployment": "gpt-4o",
    "old-deployment": "gpt-3.5-turbo",
    "ft:gpt-4o-2024-08-06": {"input": 3, "output": 12},
    "loop": "loop",
    "free": {"input": 0, "output": 0.5},
    "team:eu": {"input": 5, "output": 6},
}


@pytest.mark.parametrize(
    ("model", "price", "name"),
    [
        ("gpt-4o", PRICE, "gpt-4o"),
        ("my-deployment", PRICE, "gpt-4o"),
        ("old-deployment", None, "gpt-3.5-turbo"),
        ("ft:gpt-4o-2024-08-06:acme:support:abc", Price(3, 12), "ft:gpt-4o-2024-08-06:acme:support:abc"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", None, "ft:gpt-4o-mini-2024-07-18:acme::abc"),
        ("gpt-4o-mini", None, "gpt-4o-mini"),  # no guessing by beginnings
        ("loop", None, "loop"),
        ("free", Price(0.0, 0.5), "free"),
        ("team:eu:large", None, "team:eu:large"),  # colons mean something in fine-tuned names only
        ("", None, ""),
    ],
)
def test_a_price_is_found_by_name_by_alias_or_by_the_base_of_a_fine_tune(
    model: str, price: Price | None, name: str
) -> None:
    assert find(read(PRICES), model) == (price, name)


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"m": 3}, "'m' must have the name of another model, or"),
        ({"m": ""}, "'m' must have the name of another model, or"),
        ({"m": {"input": 1}}, "'m' has no 'output'"),
        ({"m": {"output": 1}}, "'m' has no 'input'"),
        ({"m": {"input": 1, "output": 1, "cache": 1}}, "'m' has 'cache'; known are"),
        ({"m": {"input": 1, "output": 1, "cached": 1, "Cached": 1}}, "'m' has 'Cached'; known are"),
        ({"m": {"input": "1", "output": 1}}, "'m' has input='1'"),
        ({"m": {"input": True, "output": 1}}, "'m' has input=True"),
        ({"m": {"input": 1, "output": -1}}, "'m' has output=-1"),
        ({"m": {"input": 1, "output": float("nan")}}, "'m' has output=nan"),
        ({1: {"input": 1, "output": 1}}, "1 is no name"),
        ({"": {"input": 1, "output": 1}}, "'' is no name"),
    ],
)
def test_what_is_no_price_is_said(prices: dict[Any, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read(prices)


def test_who_wants_no_cost_gets_none() -> None:
    assert no_price("openai", "gpt-4o", Usage(5, 7), 0) is None


# ---------------------------------------------------------------- on the facts of a run


def facts(price: Any, *, request: RunRequest | None = None, **run: Any) -> RunFacts:
    state = after(poll(0, 10, "queued"), poll(S, S + 10, "completed", **run), state=begun(request=request))
    data = assemble(state, Conversation(), None, Texts(True, None, 100), price=price)
    assert isinstance(data.facts, RunFacts)
    assert data.children[0].facts is data.facts
    return data.facts


def asked(*answers: Cost | None) -> tuple[list[Any], Any]:
    seen: list[Any] = []

    def price(*question: Any) -> Cost | None:
        seen.append(question)
        return answers[0]

    return seen, price


def test_the_model_that_answered_is_priced_not_the_one_that_was_asked_for() -> None:
    seen, price = asked(Cost(1.0, 2.0, 3.0))
    usage = Usage(5, 7)
    found = facts(price, request=RunRequest(model="gpt-4o"), model="gpt-4o-2024-08-06", usage=usage)
    assert seen == [("openai", "gpt-4o-2024-08-06", usage, 0, ())]
    assert found.cost == Cost(1.0, 2.0, 3.0)


def test_where_the_run_names_no_model_the_one_asked_for_is_priced() -> None:
    seen, price = asked(None)
    assert facts(price, request=RunRequest(model="gpt-4o"), usage=Usage(5, 7)).cost is None
    assert [question[1] for question in seen] == ["gpt-4o"]


@pytest.mark.parametrize("run", [{"model": "gpt-4o"}, {"usage": Usage(1, 1)}])
def test_without_usage_or_model_nobody_is_asked(run: dict[str, Any]) -> None:
    seen, price = asked(Cost(1.0, 2.0, 3.0))
    assert facts(price, **run).cost is None
    assert seen == []
