"""Prices with and without the library, and what of them stands on spans. Nothing here reaches a network."""

from __future__ import annotations

import sys
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

import runspan
from runspan.config import Config, ConfigError
from runspan.core.cost import Price, no_price
from runspan.core.model import Usage
from runspan.pricing import Pricing, pricer
from tests.support.playing import BOTH, App, playing
from tests.support.tracing import attribute, traced

genai_prices = pytest.importorskip("genai_prices")

NOW_NS = int(datetime(2026, 11, 1, tzinfo=timezone.utc).timestamp()) * 1_000_000_000
USAGE = Usage(1_000_000, 100_000, cached_tokens=400_000, reasoning_tokens=50_000)
COST_KEYS = (
    "gen_ai.usage.cost",
    "runspan.cost.total",
    "runspan.cost.currency",
    "runspan.cost.source",
    "runspan.cost.prices_date",
)


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)  # import says ModuleNotFoundError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that the library is asked about."""
    models: list[str] = []
    real = genai_prices.calc_price
    monkeypatch.setattr(
        genai_prices, "calc_price", lambda *a, **more: (models.append(a[1]), real(*a, **more))[1]
    )
    return models


# ---------------------------------------------------------------- the library's list


def test_cached_tokens_have_their_own_price() -> None:
    """gpt-4o: 2.5, cached 1.25, output 10 USD per million since 2024."""
    found = Pricing({})("openai", "gpt-4o", USAGE, NOW_NS)
    assert found is not None
    assert (found.input, found.output) == pytest.approx((0.6 * 2.5 + 0.4 * 1.25, 1.0))
    assert found.total == pytest.approx(found.input + found.output)
    assert (found.currency, found.source) == ("USD", f"genai-prices {genai_prices.__version__}")


def test_the_list_says_how_old_it_is_at_most() -> None:
    found = Pricing({})("openai", "gpt-4o", USAGE, NOW_NS)
    assert found is not None
    assert found.date is not None
    assert date(2025, 1, 1) < date.fromisoformat(found.date) <= datetime.now(timezone.utc).date()


@pytest.mark.parametrize(
    ("provider", "model", "like"),
    [
        ("azure.ai.openai", "gpt-4o", "gpt-4o"),
        ("azure.ai.openai", "gpt-35-turbo", "gpt-3.5-turbo"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "openai/gpt-4o", "gpt-4o"),
        ("openai", "azure/gpt-4o", "gpt-4o"),
    ],
)
def test_names_of_the_same_model_cost_the_same(provider: str, model: str, like: str) -> None:
    price = Pricing({})
    one, other = price(provider, model, USAGE, NOW_NS), price("openai", like, USAGE, NOW_NS)
    assert one is not None
    assert one == other


def test_a_fine_tune_has_a_price_of_its_own() -> None:
    price = Pricing({})
    base = price("openai", "gpt-4o", USAGE, NOW_NS)
    tuned = price("openai", "ft:gpt-4o-2024-08-06:acme::abc", USAGE, NOW_NS)
    assert base is not None
    assert tuned is not None
    assert tuned.total > base.total


@pytest.mark.parametrize("model", ["llama3", "my-deployment", "acme/llama3", "", "../..", "ft:", "/"])
def test_of_an_unknown_model_there_is_no_cost_and_no_noise(
    model: str, caplog: pytest.LogCaptureFixture
) -> None:
    price = Pricing({})
    assert [price("openai", model, USAGE, NOW_NS) for _ in range(2)] == [None, None]
    assert caplog.records == []


def test_what_is_unknown_is_remembered_within_bounds(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    monkeypatch.setattr("runspan.pricing._MAX_KNOWN", 3)
    price = Pricing({})
    for number in [0, 1, 2, 3, 0, 1, 2, 3]:
        assert price("openai", f"unknown-{number}", USAGE, NOW_NS) is None
    assert asked == [f"unknown-{n}" for n in (0, 1, 2, 3, 0, 1, 2, 3)]  # none is kept of what came before


HOURS = [
    datetime(2026, 11, day, hour, minute, tzinfo=timezone.utc)
    for day in (1, 2)
    for hour in (3, 17)
    for minute in (0, 29, 59)
]
USAGES = [
    Usage(0, 0),
    Usage(1, 1),
    Usage(1_234_567, 89, 1_000_000),
    Usage(250_001, 77, 3),
    Usage(199_999, 8_191),
    USAGE,
]


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o"),
        ("openai", "gpt-4.1-mini"),
        ("openai", "o3"),
        ("azure.ai.openai", "gpt-4o"),
        ("google", "gemini-2.5-pro"),  # dearer beyond 200,000 tokens
        ("deepseek", "deepseek-chat"),  # cheaper at night, once
    ],
)
def test_what_is_remembered_costs_what_the_library_says_to_the_last_digit(provider: str, model: str) -> None:
    price = Pricing({})
    for at in HOURS:
        for usage in USAGES:
            found = price(provider, model, usage, int(at.timestamp()) * 1_000_000_000)
            assert found is not None
            asked = genai_prices.calc_price(
                genai_prices.Usage(
                    input_tokens=usage.prompt_tokens,
                    output_tokens=usage.completion_tokens,
                    cache_read_tokens=usage.cached_tokens or None,
                ),
                model,
                provider_id={"azure.ai.openai": "azure"}.get(provider, provider),
                genai_request_timestamp=at,
            )
            theirs = (asked.input_price, asked.output_price, asked.total_price)
            assert (found.input, found.output, found.total) == tuple(map(float, theirs))


def test_a_run_like_the_last_asks_the_library_nothing(asked: list[str]) -> None:
    price = Pricing({})
    assert price("openai", "gpt-4o", USAGE, NOW_NS) is not None
    once = len(asked)
    assert price("openai", "gpt-4o", Usage(5, 7), NOW_NS + 60_000_000_000) is not None
    assert len(asked) == once
    assert price("openai", "gpt-4o", Usage(5, 7), NOW_NS + 1_800_000_000_000) is not None  # prices change
    assert len(asked) == 2 * once


def test_the_owners_price_beats_the_list_and_an_alias_leads_to_it() -> None:
    price = pricer(Config(prices={"gpt-4o": {"input": 1, "output": 1}, "my-deployment": "gpt-4.1"}))
    own = price("openai", "gpt-4o", USAGE, NOW_NS)
    assert own is not None
    assert (own.total, own.source, own.date) == (1.1, "user", None)
    deployed = price("azure.ai.openai", "my-deployment", USAGE, NOW_NS)
    assert deployed is not None
    assert deployed == price("azure.ai.openai", "gpt-4.1", USAGE, NOW_NS)
    assert deployed.source != "user"


@pytest.mark.expects_swallowed
def test_a_library_that_breaks_costs_no_run(
    monkeypatch: pytest.MonkeyPatch, swallowed_errors_fail: list[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no price list")

    monkeypatch.setattr(genai_prices, "calc_price", broken)
    assert Pricing({})("openai", "gpt-4o", USAGE, NOW_NS) is None
    assert len(swallowed_errors_fail) == 1


def test_without_the_library_only_the_owners_prices_count(without_library: None) -> None:
    price = pricer(Config(prices={"mine": {"input": 1, "output": 1}}))
    assert price("openai", "gpt-4o", USAGE, NOW_NS) is None
    found = price("openai", "mine", USAGE, NOW_NS)
    assert found is not None
    assert found.total == 1.1


# ---------------------------------------------------------------- options


def test_cost_can_be_turned_off() -> None:
    assert pricer(Config(prices=False)) is no_price
    assert no_price("openai", "gpt-4o", USAGE, NOW_NS) is None


def test_a_wrong_price_is_said_at_the_start_and_nothing_is_patched() -> None:
    with pytest.raises(ConfigError, match=r"prices= .*'gpt-4o' has no 'output' \(USD per million tokens\)"):
        runspan.instrument(prices={"gpt-4o": {"input": 2.5}})
    assert runspan.current_handle() is None


# ---------------------------------------------------------------- on spans


def costs(span: ReadableSpan) -> tuple[Any, ...]:
    return tuple(attribute(span, key) for key in COST_KEYS)


@pytest.mark.parametrize("kind", BOTH)
def test_the_cost_stands_on_the_generation_span_alone(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await app.got(app.runs.create_and_poll(**app.asked))
        await app.listed()

    with playing(kind) as app, traced() as found:
        app.play(case)
        generation = found.generation()
        total, same, currency, source, day = costs(generation)
        assert total == same
        # Of 1000 input tokens 768 are cached; gpt-4o-mini: 0.15, cached 0.075, output 0.6 USD per million.
        assert total == pytest.approx((232 * 0.15 + 768 * 0.075 + 300 * 0.6) / 1e6)
        assert isinstance(total, float)
        assert (currency, source) == ("USD", f"genai-prices {genai_prices.__version__}")
        assert day is not None
        assert [s.name for s in found.spans() if attribute(s, "gen_ai.usage.cost") is not None] == [
            generation.name
        ]


def test_an_azure_deployment_has_the_cost_of_the_model_it_stands_for(without_library: None) -> None:
    prices = {"gpt-4o-mini": "mini", "mini": {"input": 1.0, "output": 2.0, "cached": 0.5}}
    with playing("AzureOpenAI") as app, traced(prices=prices) as found, app.client:
        app.runs.create_and_poll(**app.asked)
        app.threads.messages.list(app.thread_id)
        total, _, *rest = costs(found.generation())
        assert total == pytest.approx((232 * 1.0 + 768 * 0.5 + 300 * 2.0) / 1e6)
        assert rest == ["USD", "user", None]


def test_of_an_unknown_model_the_tokens_stay_without_a_cost(caplog: pytest.LogCaptureFixture) -> None:
    with playing("OpenAI") as app, traced() as found, app.client:
        app.runs.create_and_poll(**app.asked, model="llama3")
        app.threads.messages.list(app.thread_id)
        generation = found.generation()
        assert attribute(generation, "gen_ai.response.model") == "llama3"
        assert attribute(generation, "gen_ai.usage.input_tokens") == 1000
        assert costs(generation) == (None,) * len(COST_KEYS)
    assert [r for r in caplog.records if r.name == "runspan" and r.levelname != "INFO"] == []


# ---------------------------------------------------------------- terms

MILLION = Usage(1_000_000, 1_000_000)


def test_a_tier_that_the_list_knows_has_its_own_price() -> None:
    """gpt-5: 1.25 and 10 USD per million, half of it where the server may take its time."""
    price = Pricing({})
    plain = price("openai", "gpt-5", MILLION, NOW_NS)
    flex = price("openai", "gpt-5", MILLION, NOW_NS, (("service_tier", "flex"),))
    assert plain is not None
    assert flex is not None
    assert (plain.total, flex.total) == pytest.approx((11.25, 5.625))
    assert (plain.assumed, flex.assumed) == ((), ())


def test_a_window_that_the_list_does_not_know_is_said() -> None:
    terms = (("completion_window", "8h"), ("service_tier", "flex"))
    found = Pricing({})("openai", "gpt-5", MILLION, NOW_NS, terms)
    assert found is not None
    assert found.total == pytest.approx(5.625), "the tier counts all the same"
    assert found.assumed == ("completion_window=soonest",)
    own = Pricing({"gpt-5": Price(1, 2)})("openai", "gpt-5", MILLION, NOW_NS, terms)
    assert own is not None
    assert (own.total, own.assumed) == (3.0, ("completion_window=soonest", "service_tier=default"))


def test_a_window_that_the_list_knows_one_day_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    real = genai_prices.calc_price

    def discounted(usage: Any, model: str, *, price_context: Any = None, **more: Any) -> Any:
        found = real(usage, model, **more)
        if (price_context or {}).get("completion_window") == "8h":
            found.input_price *= Decimal("0.6")
            found.output_price *= Decimal("0.6")
            found.total_price *= Decimal("0.6")
        return found

    monkeypatch.setattr(genai_prices, "calc_price", discounted)
    found = Pricing({})("openai", "gpt-5", MILLION, NOW_NS, (("completion_window", "8h"),))
    assert found is not None
    assert (found.total, found.assumed) == (pytest.approx(11.25 * 0.6), ())


def test_tokens_written_to_the_cache_have_their_own_price() -> None:
    """gpt-6-sol: 2 USD per million, 2.5 where they are written to the cache."""
    found = Pricing({})("openai", "gpt-6-sol", Usage(1_000, 0, cache_write_tokens=400), NOW_NS)
    assert found is not None
    assert found.input == pytest.approx((600 * 2 + 400 * 2.5) / 1e6)


@pytest.mark.parametrize("kind", BOTH)
def test_a_response_says_what_its_window_was_assumed_to_be(kind: str) -> None:
    from tests.apis.responses.apps import created, polled, responding, the_one

    async def whole(app: App) -> None:
        window = {"background_options": {"completion_window": "2h"}}
        await polled(app, await created(app, model="gpt-5", extra_body=window))

    with responding(kind) as app, traced() as trace:
        app.play(whole)
        span = the_one(trace)
    assert attribute(span, "gen_ai.usage.cost") > 0
    assert attribute(span, "runspan.cost.assumed") == ("completion_window=soonest",)
    assert attribute(span, "runspan.request.completion_window") == "2h"
