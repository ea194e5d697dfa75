"""Recording: through which provider, with which instruments, within which bounds."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

from runspan.core.model import Agent, Run, RunFacts, RunRequest, SpanData, SpanKind, Usage
from runspan.runtime import metrics
from runspan.runtime.metrics import CAUSES, MAX_VALUES, Bounds, Metrics
from tests.conventions.test_measures import FACTS, SERVER, span
from tests.support.measuring import Measured


@pytest.fixture
def measured() -> Iterator[Measured]:
    measured = Measured()
    yield measured
    measured.provider.shutdown()


def recording(measured: Measured, dropped: Mapping[str, int] | None = None) -> Metrics:
    return Metrics(lambda: measured.provider, lambda: dropped or {})


def test_without_a_provider_nothing_is_recorded_and_nothing_breaks() -> None:
    none = Metrics(lambda: None, dict)
    none.run(span(), Context())
    none.unrecorded(span())
    none.close()


def test_instruments_have_unit_description_and_the_conventions_buckets(measured: Measured) -> None:
    recording(measured).run(span(), Context())
    found = measured.metrics()
    duration = found["gen_ai.client.operation.duration"]
    assert (duration.unit, duration.description) == ("s", "GenAI operation duration.")
    assert duration.data.data_points[0].explicit_bounds[:3] == (0.01, 0.02, 0.04)
    tokens = found["gen_ai.client.token.usage"]
    assert [p.explicit_bounds[-1] for p in tokens.data.data_points] == [67108864, 67108864]
    assert found["runspan.runs"].unit == "{run}"
    assert found["runspan.runs"].data.is_monotonic
    assert found["runspan.dropped"].data.is_monotonic


def test_a_run_is_one_record_of_each(measured: Measured) -> None:
    record = recording(measured)
    for _ in range(3):
        record.run(span(), Context())
    assert measured.counts("runspan.runs", "runspan.run.status") == {"completed": 3}
    assert measured.counts("gen_ai.client.token.usage", "gen_ai.token.type") == {"input": 3, "output": 3}
    (cost,) = measured.points("runspan.run.cost")
    assert cost.value == pytest.approx(3 * 0.75)


def test_exemplars_point_at_the_run_span(measured: Measured) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    run = provider.get_tracer("test").start_span("run")
    recording(measured).run(span(), trace.set_span_in_context(run, Context()))
    (point,) = measured.points("gen_ai.client.operation.duration")
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id, exemplar.span_id) == (run.context.trace_id, run.context.span_id)


# ---------------------------------------------------------------- bounds


def named(number: int) -> SpanData:
    server = replace(SERVER, host=f"host-{number}", port=1_000 + number)
    facts = replace(
        FACTS,
        server=server,
        request=RunRequest(f"model-{number}"),
        run=Run("run", "thread", f"status-{number}", model=f"answer-{number}", usage=Usage(1, 1)),
        agent=Agent("asst", f"name-{number}"),
    )
    return SpanData(SpanKind.RUN, "invoke_agent", 0, 1, facts)


def test_names_from_outside_make_a_bounded_number_of_series(measured: Measured) -> None:
    record = recording(measured)
    for number in range(3 * MAX_VALUES):
        record.run(named(number), Context())
    points = measured.points("runspan.runs")
    assert len(points) == MAX_VALUES + 1
    assert sum(p.value for p in points) == 3 * MAX_VALUES
    assert dict(max(points, key=lambda p: p.value).attributes) == {
        "gen_ai.provider.name": "openai",
        **dict.fromkeys(
            ("gen_ai.request.model", "gen_ai.agent.name", "server.address", "runspan.run.status"), "other"
        ),
    }


def test_a_value_that_was_kept_once_is_kept_for_ever() -> None:
    bounds = Bounds(2)
    assert [bounds.within({"k": v})["k"] for v in "abcacb"] == ["a", "b", "other", "a", "other", "b"]
    assert bounds.within({"other_key": "c"}) == {"other_key": "c"}


def test_a_value_is_short_and_can_be_encoded() -> None:
    value = Bounds(2).within({"k": "x\ud800" * 500})["k"]
    assert len(value) <= metrics.MAX_CHARS
    value.encode()


# ---------------------------------------------------------------- what was dropped


def test_drops_are_observed_as_they_are_at_each_collection(measured: Measured) -> None:
    dropped: dict[str, int] = {}
    recording(measured, dropped)  # nothing is asked for before a run was recorded
    assert measured.metrics() == {}
    record = Metrics(lambda: measured.provider, lambda: dropped)
    record.run(span(), Context())
    assert measured.counts("runspan.dropped", "runspan.cause") == dict.fromkeys(CAUSES, 0)
    dropped["queue_full"] = 7
    dropped["of later days"] = 1
    assert measured.dropped() == {"queue_full": 7, "of later days": 1}


def test_one_instrument_after_the_other_counts_on(measured: Measured) -> None:
    """The SDK keeps the first callback of a name; ours outlives its `instrument()`, and the count never falls."""
    first, second = {"error": 3}, {"error": 2}
    old = Metrics(lambda: measured.provider, lambda: first)
    old.run(span(), Context())
    old.close()
    first["error"] = 99  # nobody asks it any more
    assert measured.dropped() == {"error": 3}
    new = Metrics(lambda: measured.provider, lambda: second)
    new.run(span(), Context())
    assert measured.dropped() == {"error": 5}
    old.close()  # late: it must not cut off the new one
    second["error"] = 4
    assert measured.dropped() == {"error": 7}


def test_the_same_source_is_not_counted_twice(measured: Measured) -> None:
    """In a forked child the moving parts are made anew around the same counts."""
    counts = {"error": 3}

    def source() -> Mapping[str, int]:
        return counts

    for _ in range(2):
        Metrics(lambda: measured.provider, source).run(span(), Context())
    assert measured.dropped() == {"error": 3}


def test_a_provider_that_is_gone_leaves_nothing_behind() -> None:
    gc.collect()
    before = len(metrics._drops)
    measured = Measured()
    recording(measured).run(span(), Context())
    assert len(metrics._drops) == before + 1
    measured.provider.shutdown()
    del measured
    gc.collect()
    assert len(metrics._drops) == before


def test_a_provider_without_a_hash_will_do(measured: Measured) -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

        def get_meter(self, *names: Any) -> Any:
            return measured.provider.get_meter(*names)

    provider: Any = Unhashable()
    Metrics(lambda: provider, dict).run(span(), Context())
    assert measured.counts("runspan.runs", "runspan.run.status") == {"completed": 1}


@pytest.mark.expects_swallowed
def test_a_provider_that_breaks_costs_no_run(swallowed_errors_fail: list[str]) -> None:
    class Broken:
        def get_meter(self, *_: Any) -> Any:
            raise RuntimeError("no meter")

    broken: Any = Broken()
    Metrics(lambda: broken, dict).run(span(), Context())
    assert len(swallowed_errors_fail) == 1


def test_facts_of_any_shape_are_recorded(measured: Measured) -> None:
    record = recording(measured)
    record.run(SpanData(SpanKind.RUN, "invoke_agent", 0, 1, RunFacts(SERVER, RunRequest())), Context())
    record.unrecorded(SpanData(SpanKind.RUN, "invoke_agent", 0, 1, RunFacts(SERVER, RunRequest())))
    assert measured.counts("runspan.runs", "runspan.run.status") == {"not_started": 1, "unrecorded": 1}
