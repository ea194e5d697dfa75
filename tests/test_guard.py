"""Our own failures end in one place: counted, said once a place, told to hooks, and never the app's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from runspan import guard
from runspan.guard import guarded, swallow, swallowed

pytestmark = pytest.mark.expects_swallowed


@pytest.fixture(autouse=True)
def counted_from_zero() -> Iterator[None]:
    before = dict(guard._counts)
    guard._counts.clear()
    yield
    guard._counts.clear()
    guard._counts.update(before)


def fail(error: BaseException) -> None:
    with guarded("test the guard"):
        raise error


def test_an_exception_inside_is_swallowed_and_counted() -> None:
    fail(ValueError("x"))
    fail(KeyError("y"))
    assert swallowed() == {"test the guard": 2}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_what_belongs_to_the_app_passes(kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        fail(kind())
    assert swallowed() == {}


def test_it_is_said_once_a_place_and_without_the_errors_text(caplog: pytest.LogCaptureFixture) -> None:
    text = "sec" + "ret"
    for _ in range(3):
        fail(ValueError(f"a user's {text}"))
    with guarded("do something else"):
        raise ValueError(text)
    first, second = caplog.records
    assert (first.levelno, first.name) == (logging.WARNING, "runspan")
    assert "ValueError" in first.getMessage()
    assert "test the guard" in first.getMessage()
    assert "test_guard.py" in first.getMessage()
    assert "do something else" in second.getMessage()
    assert text not in caplog.text


def test_the_line_shows_where_it_happened_even_in_deep_stacks(caplog: pytest.LogCaptureFixture) -> None:
    def dig(depth: int) -> None:
        if depth == 0:
            raise RecursionError
        dig(depth - 1)

    with guarded("dig"):
        dig(200)
    assert "raise RecursionError" in caplog.text
    assert len(caplog.text) < 4_000


def test_hooks_are_told_each_time_until_they_are_removed() -> None:
    told: list[tuple[str, str]] = []

    def hook(site: str, error: Exception) -> None:
        told.append((site, str(error)))

    guard.add_hook(hook)
    swallow("here", ValueError("one"))
    swallow("here", ValueError("two"))
    guard.remove_hook(hook)
    swallow("here", ValueError("three"))
    assert told == [("here", "one"), ("here", "two")]


def test_a_hook_or_log_handler_that_fails_does_not_reach_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's own logging configuration may raise (`logging.raiseExceptions`, a handler without a guard)."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    handler = Broken()
    logging.getLogger("runspan").addHandler(handler)
    try:
        fail(ValueError())
    finally:
        logging.getLogger("runspan").removeHandler(handler)
    assert swallowed() == {"test the guard": 1}


def test_counts_from_many_threads_add_up() -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(800):
            pool.submit(fail, ValueError())
    assert swallowed() == {"test the guard": 800}


def test_the_value_of_a_block_that_went_well_is_untouched() -> None:
    with guarded("nothing"):
        value = 1
    assert value == 1
    assert swallowed() == {}
