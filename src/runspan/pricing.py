"""Prices of models: the owner's (`prices=`), else those of `genai-prices` where it is installed (`runspan[cost]`).

The library holds its list in the wheel and asks no network, unless the app itself starts its `UpdatePrices`. It is imported on the
worker, at the first run that has a usage: 75 ms, of which no more than 15 in one piece hold the app up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

from .config import Config, ConfigError
from .core import cost
from .core.cost import Price, Pricer, Terms
from .core.model import Cost, Usage
from .guard import guarded

_PROVIDERS: Mapping[str, str] = {"openai": "openai", "azure.ai.openai": "azure"}
_SECOND_NS = 1_000_000_000
# Prices of the list begin and end at quarters of an hour, or at midnight.
_QUARTER_NS = 15 * 60 * _SECOND_NS
_MAX_KNOWN = 1_000


def pricer(config: Config) -> Pricer:
    """What `prices=` asks for. Raises ConfigError for prices that cannot be read."""
    if config.prices is False:
        return cost.no_price
    try:
        return Pricing(cost.read(config.prices or {}))
    except ValueError as error:
        raise ConfigError(f"prices= (or RUNSPAN_PRICES): {error}.") from None


class Pricing:
    """The Pricer of one `instrument()`. Used on the worker's thread alone."""

    def __init__(self, prices: Mapping[str, Price | str]) -> None:
        self._prices = prices
        self._library: _Library | None = None
        self._has_looked = False

    def __call__(self, provider: str, model: str, usage: Usage, at_ns: int, terms: Terms = ()) -> Cost | None:
        price, model = cost.find(self._prices, model)
        if price is not None:
            return cost.cost(usage, price, terms)
        with guarded("price a run"):
            library = self._loaded()
            if library is not None:
                return library.cost(_PROVIDERS.get(provider, provider), model, usage, at_ns, terms)
        return None

    def _loaded(self) -> _Library | None:
        if not self._has_looked:
            self._has_looked = True  # a library that fails to load is tried once
            try:
                import genai_prices
            except ModuleNotFoundError:
                return None
            self._library = _Library(genai_prices)
        return self._library


class _Library:
    """It goes through all it knows at each call, 0.2 ms: how a model is paid is asked once in a quarter of an hour."""

    def __init__(self, module: Any) -> None:
        self._usage: Callable[..., Any] = module.Usage
        self._calc: Callable[..., Any] = module.calc_price
        self._source = f"genai-prices {module.__version__}"
        self._date: str | None = None
        self._known: dict[tuple[str, str, int, Terms], Callable[[Usage], Cost | None]] = {}

    def cost(self, provider: str, model: str, usage: Usage, at_ns: int, terms: Terms) -> Cost | None:
        """By the prices that were in force when the run was asked for."""
        key = provider, model, at_ns // _QUARTER_NS, terms
        of_usage = self._known.get(key)
        if of_usage is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            of_usage = self._known[key] = self._pay(provider, model, at_ns, terms)
        return of_usage(usage)

    def _pay(self, provider: str, model: str, at_ns: int, terms: Terms) -> Callable[[Usage], Cost | None]:
        """By the price of one token; where that depends on how many there are, the library is asked each time."""

        def asked(usage: Usage, known_terms: Terms = terms) -> Any:
            return self._asked(provider, model, usage, at_ns, known_terms)

        known = asked(Usage(_FEW, 0))
        if known is None:
            return lambda usage: None
        prices = [asked(of).total_price / _FEW for of in _each(_FEW)]
        # Terms that the list has no prices for change none.
        unknown = tuple(
            one
            for one in terms
            if all(asked(of, (one,)).total_price == asked(of, ()).total_price for of in _each(_FEW))
        )
        if [asked(of).total_price for of in _each(_MANY)] != [price * _MANY for price in prices]:
            return lambda usage: self._cost(
                (found := asked(usage)).input_price, found.output_price, found, unknown
            )
        whole, cached, written, output = prices

        def by_the_token(usage: Usage) -> Cost:
            of_cached, of_written = _parts(usage)
            plain = usage.prompt_tokens - of_cached - of_written
            of_input = plain * whole + of_cached * cached + of_written * written
            return self._cost(of_input, usage.completion_tokens * output, known, unknown)

        return by_the_token

    def _cost(self, of_input: Decimal, of_output: Decimal, found: Any, unknown: Terms) -> Cost:
        total, source, date_ = float(of_input + of_output), self._source, self._date_of(found)
        return Cost(
            float(of_input), float(of_output), total, source=source, date=date_, assumed=cost.assumed(unknown)
        )

    def _asked(self, provider: str, model: str, usage: Usage, at_ns: int, terms: Terms) -> Any:
        """The library's own answer; None: it knows no such model."""
        at = datetime.fromtimestamp(at_ns // _SECOND_NS, timezone.utc)
        cached, written = _parts(usage)
        counts = self._usage(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            cache_read_tokens=cached or None,
            cache_write_tokens=written or None,
        )
        more = {"price_context": dict(terms)} if terms else {}
        # Proxies name models `openai/gpt-4o`; "litellm" means: the provider is in the name.
        for of in (provider, "litellm") if "/" in model else (provider,):
            with suppress(LookupError):
                return self._calc(counts, model, provider_id=of, genai_request_timestamp=at, **more)
        return None

    def _date_of(self, found: Any) -> str | None:
        """When an app updates the library's list, that day; else the newest day that the list names: it is not older."""
        updated = found.auto_update_timestamp
        if updated is not None:
            return str(updated.date().isoformat())
        if self._date is None:
            self._date = max((d.isoformat() for d in _dates_named()), default="")
        return self._date or None


_FEW, _MANY = 1_000, 10_000_000  # tokens: more than any step of a price list is high


def _each(count: int) -> tuple[Usage, ...]:
    """A usage of input tokens alone, of cached ones, of such as are written to the cache, of output tokens."""
    return Usage(count, 0), Usage(count, 0, count), Usage(count, 0, cache_write_tokens=count), Usage(0, count)


def _parts(usage: Usage) -> tuple[int, int]:
    """Of the input, what was read from the cache and what was written to it."""
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    return cached, min(usage.cache_write_tokens or 0, usage.prompt_tokens - cached)


def _dates_named() -> Iterator[date]:
    """Days from which prices of the bundled list hold, not those to come."""
    from genai_prices.data_snapshot import get_snapshot

    today = datetime.now(timezone.utc).date()
    for provider in get_snapshot().providers:
        for model in provider.models:
            timed = model.prices if isinstance(model.prices, list) else []
            for one in (*timed, *(getattr(model, "price_variants", None) or ())):
                day = getattr(one.constraint, "start_date", None)
                if day is not None and day <= today:
                    yield day
