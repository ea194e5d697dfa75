"""What tokens cost by a price list of the owner's own; and how such a list is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from msgspec import Struct

from .model import Cost, Usage

# How a run was served, where that may have a price of its own: (("completion_window", "8h"),).
Terms = tuple[tuple[str, str], ...]
# (provider, model, usage, local time of the request, terms) -> what it cost; None: no price is known.
Pricer = Callable[[str, str, Usage, int, Terms], Cost | None]

STANDARD: Mapping[str, str] = {"completion_window": "soonest", "service_tier": "default"}

MILLION = 1_000_000


class Price(Struct, frozen=True, gc=False):
    """USD per million tokens."""

    input: float
    output: float
    cached: float | None = None  # of the input; None: they cost what the others cost


def no_price(provider: str, model: str, usage: Usage, at_ns: int, terms: Terms = ()) -> Cost | None:
    """The Pricer of those who want none."""
    return None


def terms_of(settings: Mapping[str, object]) -> Terms:
    """Of the settings of a run, those that are not the standard."""
    served = {**settings, "service_tier": settings.get("served_tier") or settings.get("service_tier")}
    return tuple(
        (name, value)
        for name, standard in STANDARD.items()
        if isinstance(value := served.get(name), str) and value not in (standard, "auto")
    )


def assumed(terms: Terms) -> tuple[str, ...]:
    """What is assumed in place of terms that a price list does not know."""
    return tuple(f"{name}={STANDARD[name]}" for name, _ in terms)


def cost(usage: Usage, price: Price, terms: Terms = ()) -> Cost:
    """Input totals include the cached tokens, output totals the reasoning tokens, so each token is paid once."""
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    of_cached = price.input if price.cached is None else price.cached
    of_input = ((usage.prompt_tokens - cached) * price.input + cached * of_cached) / MILLION
    of_output = usage.completion_tokens * price.output / MILLION
    total = of_input + of_output
    return Cost(of_input, of_output, total, source="user", assumed=assumed(terms))


def find(prices: Mapping[str, Price | str], model: str) -> tuple[Price | None, str]:
    """The owner's price of `model`, and the name under which others may know it.

    A fine-tuned `ft:BASE:ORG:NAME:ID` is looked for as it is, then as `ft:BASE`: all of one base cost the same.
    """
    for name in (model, _without_owner(model)):
        found = prices.get(name)
        if isinstance(found, str):  # the list says: it is that model (an Azure deployment)
            model, found = found, prices.get(found)
        if isinstance(found, Price):
            return found, model
    return None, model


def _without_owner(model: str) -> str:
    return ":".join(model.split(":")[:2]) if model.startswith("ft:") else model


def read(prices: Mapping[str, object]) -> dict[str, Price | str]:
    """What the owner gave as prices; raises ValueError with what is wrong."""
    return {_name(name): _price(name, said) for name, said in prices.items()}


def _name(name: object) -> str:
    if isinstance(name, str) and name:
        return name
    raise ValueError(f"{name!r} is no name of a model")


def _price(model: str, said: object) -> Price | str:
    if isinstance(said, str) and said:
        return said
    if not isinstance(said, Mapping):
        raise ValueError(
            f"{model!r} must have the name of another model, or {{'input': ..., 'output': ...}} in USD per million tokens"
        )
    unknown = sorted(str(key) for key in said if key not in ("input", "output", "cached"))
    if unknown:
        raise ValueError(f"{model!r} has {unknown[0]!r}; known are 'input', 'output' and 'cached'")
    for key in ("input", "output"):
        if key not in said:
            raise ValueError(f"{model!r} has no {key!r} (USD per million tokens)")
    return Price(**{key: _amount(model, key, said[key]) for key in said})


def _amount(model: str, key: str, said: object) -> float:
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    if is_number and math.isfinite(said) and said >= 0:  # type: ignore[arg-type,operator]
        return float(said)  # type: ignore[arg-type]
    raise ValueError(f"{model!r} has {key}={said!r}; write USD per million tokens, such as 2.5")
