"""Objects with a `__call__` under `@observe`: they keep what they can do otherwise, and bind to instances only if they did."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import runspan
from tests.support.tracing import Traced

from .trees import given, output, spans


@runspan.observe
@functools.lru_cache
def squared(x: int) -> int:
    return x * x


class Adder:
    calls = 0

    def __call__(self, x: int) -> int:
        self.calls += 1
        return x + 1


class AsyncAdder(Adder):
    async def __call__(self, x: int) -> int:  # type: ignore[override]
        return super().__call__(x)


def shifted(by: int, x: int) -> int:
    return by + x


def generator(n: int) -> Iterator[int]:
    yield from range(n)


class Sums:
    add = runspan.observe(Adder())
    aadd = runspan.observe(AsyncAdder())
    shift = runspan.observe(functools.partial(shifted, 10))

    @runspan.observe
    @functools.lru_cache  # noqa: B019
    def doubled(self, x: int) -> int:
        return 2 * x


def test_a_cached_function_keeps_its_cache(traces: Traced) -> None:
    squared.cache_clear()
    assert [squared(3), squared(3)] == [9, 9]
    assert squared.cache_info().hits == 1
    assert pickle.loads(pickle.dumps(squared)) is squared
    assert copy.deepcopy(squared) is squared
    assert list(inspect.signature(squared).parameters) == ["x"]
    assert [(s.name, output(s)) for s in spans(traces)] == [("squared", 9)] * 2


def test_as_attributes_of_a_class_they_bind_as_without_it(traces: Traced) -> None:
    sums = Sums()
    assert sums.add(1) == 2
    assert asyncio.run(sums.aadd(2)) == 3  # type: ignore[arg-type]
    assert sums.doubled(4) == 8
    assert [s.name for s in spans(traces)] == ["Adder", "AsyncAdder", "Sums.doubled"]


@pytest.mark.skipif(hasattr(functools.partial, "__get__"), reason="a partial binds on this Python")
def test_a_partial_in_a_class_does_not_bind(traces: Traced) -> None:
    assert Sums().shift(3) == 13
    assert [given(s) for s in spans(traces)] == [{"x": 3}]


def test_attributes_are_those_of_the_object_of_now() -> None:
    adder = Adder()
    seen = runspan.observe(adder)
    assert (seen(1), seen(1), seen.calls) == (2, 2, 2)
    assert isinstance(seen, Adder)
    assert repr(seen) == repr(adder)
    assert copy.deepcopy(seen) is seen
    with pytest.raises(AttributeError, match="no_such"):
        _ = seen.no_such  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "kind", [Adder(), AsyncAdder(), functools.partial(shifted, 10), functools.lru_cache(shifted), generator]
)
def test_annotations_are_its_own(kind: Any) -> None:
    seen = runspan.observe(kind)
    assert getattr(seen, "__annotations__", None) == getattr(kind, "__annotations__", None)
    assert inspect.get_annotations(seen, eval_str=True) == inspect.get_annotations(kind, eval_str=True)


@pytest.mark.parametrize("kind", [AsyncAdder(), functools.partial(AsyncAdder().__call__, 1)])
def test_frameworks_see_that_they_must_await(kind: Any) -> None:
    seen = runspan.observe(kind)
    assert inspect.iscoroutinefunction(seen.__call__)
    assert inspect.iscoroutinefunction(seen) == inspect.iscoroutinefunction(kind)
