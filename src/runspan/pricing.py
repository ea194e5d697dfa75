"""Prices of models: the owner's (`prices=`), else those of `genai-prices` where it is installed (`runspan[cost]`).

The library holds its list in the wheel and asks no network, unless the app itself starts its `UpdatePrices`. It is imported on the
worker, at the first run that has a usage: 75 ms, of which no more than 15 in one piece hold the app up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timezone
from typing import Any

from .config import Config, ConfigError
from .core import cost
from .core.cost import Price, Pricer
from .core.model import Cost, Usage
from .guard import guarded

_PROVIDERS: Mapping[str, str] = {"openai": "openai", "azure.ai.openai": "azure"}
_SECOND_NS = 1_000_000_000
_MAX_UNKNOWN = 1_000


def pricer(config: Config) -> Pricer:
    """What `cost=` and `prices=` ask for. Raises ConfigError for prices that cannot be read."""
    try:
        prices = cost.read(config.prices or {})
    except ValueError as error:
        raise ConfigError(f"prices= (or RUNSPAN_PRICES): {error}.") from None
    return Pricing(prices) if config.cost else cost.no_price


class Pricing:
    """The Pricer of one `instrument()`. Used on the worker's thread alone."""

    def __init__(self, prices: Mapping[str, Price | str]) -> None:
        self._prices = prices
        self._library: _Library | None = None
        self._has_looked = False

    def __call__(self, provider: str, model: str, usage: Usage, at_ns: int) -> Cost | None:
        price, model = cost.find(self._prices, model)
        if price is not None:
            return cost.cost(usage, price)
        with guarded("price a run"):
            library = self._loaded()
            if library is not None:
                return library.cost(_PROVIDERS.get(provider, provider), model, usage, at_ns)
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
    def __init__(self, module: Any) -> None:
        self._usage: Callable[..., Any] = module.Usage
        self._calc: Callable[..., Any] = module.calc_price
        self._source = f"genai-prices {module.__version__}"
        self._snapshot: Any = None
        self._date: str | None = None
        self._unknown: set[tuple[str, str]] = set()  # the library goes through all it knows for each: 0.3 ms

    def cost(self, provider: str, model: str, usage: Usage, at_ns: int) -> Cost | None:
        """By the prices that were in force when the run was asked for."""
        if (provider, model) in self._unknown:
            return None
        at = datetime.fromtimestamp(at_ns // _SECOND_NS, timezone.utc)
        counts: dict[str, int] = {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
        }
        if usage.cached_tokens:
            counts["cache_read_tokens"] = min(usage.cached_tokens, usage.prompt_tokens)
        # Proxies name models `openai/gpt-4o`; "litellm" means: the provider is in the name.
        for of in (provider, "litellm") if "/" in model else (provider,):
            try:
                found = self._calc(self._usage(**counts), model, provider_id=of, genai_request_timestamp=at)
            except LookupError:
                continue
            return Cost(
                float(found.input_price),
                float(found.output_price),
                float(found.total_price),
                source=self._source,
                date=self._date_of(found),
            )
        if len(self._unknown) < _MAX_UNKNOWN:
            self._unknown.add((provider, model))
        return None

    def _date_of(self, found: Any) -> str | None:
        """When an app updates the library's list, that day; else the newest day that the list names: it is not older."""
        updated = found.auto_update_timestamp
        if updated is not None:
            return str(updated.date().isoformat())
        if self._date is None:
            self._date = max((d.isoformat() for d in _dates_named()), default="")
        return self._date or None


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
