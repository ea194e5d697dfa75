"""The behaviour probe: every row of the peers' table, which none of them passes."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import anyio
import pytest

import runspan
from tests.support.tracing import Traced, attribute

from .trees import output, span, spans, status, tree


@runspan.observe
def letters(count: int = 3) -> Iterator[str]:
    for letter in "abcdefgh"[:count]:
        with runspan.span(f"inside {letter}"):
            pass
        yield letter


@runspan.observe
async def numbers(count: int = 3) -> AsyncIterator[int]:
    for number in range(count):
        with runspan.span(f"inside {number}"):
            await asyncio.sleep(0)
        yield number


def root(name: str) -> None:
    with runspan.span(name):
        pass


def test_a_span_of_the_caller_between_two_yields_is_the_callers(traces: Traced) -> None:
    with runspan.span("caller"):
        for letter in letters(2):
            root(f"between {letter}")
    assert tree(traces) == [
        ("caller", None),
        ("letters", "caller"),
        ("inside a", "letters"),
        ("between a", "caller"),
        ("inside b", "letters"),
        ("between b", "caller"),
    ]


def test_a_span_of_the_caller_between_two_async_yields_is_the_callers(traces: Traced) -> None:
    async def main() -> None:
        with runspan.span("caller"):
            async for number in numbers(2):
                root(f"between {number}")

    asyncio.run(main())
    assert tree(traces) == [
        ("caller", None),
        ("numbers", "caller"),
        ("inside 0", "numbers"),
        ("between 0", "caller"),
        ("inside 1", "numbers"),
        ("between 1", "caller"),
    ]


def test_break_ends_a_generators_span_without_error(traces: Traced) -> None:
    with runspan.span("caller"):
        for _ in letters():
            break
        root("sibling")
    assert status(span(traces, "letters")) == "UNSET"
    assert output(span(traces, "letters")) == "a"
    assert ("sibling", "caller") in tree(traces)
    assert ("letters", "caller") in tree(traces)


def test_break_ends_an_async_generators_span_and_the_next_span_is_a_sibling(traces: Traced) -> None:
    async def main() -> None:
        with runspan.span("caller"):
            async with aclosing(numbers()) as each:  # type: ignore[type-var]
                async for _ in each:
                    break
            root("sibling")

    asyncio.run(main())
    assert status(span(traces, "numbers")) == "UNSET"
    assert ("sibling", "caller") in tree(traces)


def test_an_async_generator_that_is_left_behind_is_ended_by_the_loop(
    traces: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with runspan.span("caller"):
            async for _ in numbers():
                break
            root("sibling")
            gc.collect()
            await asyncio.sleep(0)

    asyncio.run(main())
    assert status(span(traces, "numbers")) == "UNSET"
    assert ("sibling", "caller") in tree(traces)
    assert caplog.records == []  # no "Failed to detach context"


def test_a_generators_span_lasts_from_its_first_item_to_its_end(traces: Traced) -> None:
    """Not zero-length with its children beside it (langfuse 7749)."""

    async def main() -> None:
        async for _ in numbers(3):
            pass

    asyncio.run(main())
    whole = span(traces, "numbers")
    inside = [span(traces, f"inside {number}") for number in range(3)]
    assert {s.parent.span_id for s in inside if s.parent} == {whole.context.span_id}
    times = [whole.start_time, *(t for s in inside for t in (s.start_time, s.end_time)), whole.end_time]
    assert times == sorted(times)  # type: ignore[type-var]


@pytest.mark.parametrize("times", [1, 3])
def test_later_roots_are_clean_after_generators(traces: Traced, times: int) -> None:
    for _ in range(times):
        list(letters())
        for _ in letters():
            break
    root("later")
    assert ("later", None) in tree(traces)


def test_later_roots_are_clean_after_a_keyboard_interrupt(traces: Traced) -> None:
    @runspan.observe
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    root("later")
    assert tree(traces) == [("interrupted", None), ("later", None)]
    assert status(span(traces, "interrupted")) == "ERROR"


def test_send_throw_close_and_the_return_value_work(traces: Traced) -> None:
    seen: list[Any] = []

    @runspan.observe
    def talker() -> Generator[Any, Any, str]:
        try:
            while True:
                try:
                    seen.append((yield len(seen)))
                except ValueError as error:  # noqa: PERF203
                    seen.append(error)
                    if str(error) == "stop":
                        return "returned"
        finally:
            seen.append("closed")

    talk: Any = talker()
    error = ValueError("go on")
    assert [next(talk), talk.send("x"), talk.throw(error)] == [0, 1, 2]
    with pytest.raises(StopIteration) as stopped:
        talk.throw(ValueError("stop"))
    assert stopped.value.value == "returned"
    other: Any = talker()
    next(other)
    other.close()
    assert seen[0] == "x"
    assert seen[1] is error
    assert seen[-1] == "closed"
    assert [status(s) for s in spans(traces)] == ["UNSET", "UNSET"]


def test_asend_athrow_and_aclose_work(traces: Traced) -> None:
    seen: list[Any] = []

    @runspan.observe
    async def talker() -> AsyncIterator[int]:
        try:
            while True:
                try:
                    seen.append((yield len(seen)))
                except ValueError as error:  # noqa: PERF203
                    seen.append(str(error))
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    async def main() -> None:
        talk: Any = talker()
        assert [await anext(talk), await talk.asend("x"), await talk.athrow(ValueError("go on"))] == [0, 1, 2]
        await talk.aclose()

    asyncio.run(main())
    assert seen == ["x", "go on", "closed"]
    assert status(span(traces, "talker")) == "UNSET"


def test_a_generator_that_ignores_its_close_is_told_so(traces: Traced) -> None:
    @runspan.observe
    def stubborn() -> Iterator[int]:
        while True:
            try:
                yield 1
            except GeneratorExit:  # noqa: PERF203
                yield 2
                return

    each: Any = stubborn()
    next(each)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        each.close()
    each.close()


def test_a_cancel_scope_and_a_timeout_held_across_yields_work(traces: Traced) -> None:
    @runspan.observe
    async def scoped() -> AsyncIterator[int]:
        with anyio.CancelScope():
            yield 1
            yield 2

    @runspan.observe
    async def timed() -> AsyncIterator[int]:
        async with anyio.create_task_group():
            with anyio.fail_after(60):
                yield 1
                yield 2

    async def main() -> list[int]:
        task = asyncio.current_task()
        found = [number async for number in scoped()] + [number async for number in timed()]
        assert asyncio.current_task() is task
        return found

    assert asyncio.run(main()) == [1, 2, 1, 2]


def test_a_timeout_in_an_async_generator_strikes(traces: Traced) -> None:
    """Peers that step each item in a new task switch `asyncio.timeout` off (langfuse 13349)."""

    @runspan.observe
    async def slow() -> AsyncIterator[int]:
        with anyio.fail_after(0.01):
            yield 1
            await asyncio.Event().wait()

    async def main() -> None:
        async for _ in slow():
            pass

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert status(span(traces, "slow")) == "ERROR"


def test_a_cancelled_task_ends_its_span_and_is_cancelled(traces: Traced) -> None:
    @runspan.observe
    async def waits() -> None:
        await asyncio.Event().wait()

    async def main() -> bool:
        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        root("later")
        return task.cancelled()

    assert asyncio.run(main())
    assert tree(traces) == [("waits", None), ("later", None)]
    assert status(span(traces, "waits")) == "UNSET"
    assert attribute(span(traces, "waits"), "runspan.cancelled") is True


def test_children_in_a_thread_pool_keep_their_parent(traces: Traced) -> None:
    with ThreadPoolExecutor(2) as pool, runspan.span("caller"):
        list(pool.map(root, ["one", "two"]))
        pool.submit(root, "three").result()
    assert sorted(tree(traces)) == [
        ("caller", None),
        ("one", "caller"),
        ("three", "caller"),
        ("two", "caller"),
    ]


def test_a_pools_thread_is_clean_after_its_job(traces: Traced) -> None:
    with ThreadPoolExecutor(1) as pool:
        with runspan.span("caller"):
            pool.submit(root, "child").result()
        pool.submit(root, "later").result()
    assert tree(traces) == [("caller", None), ("child", "caller"), ("later", None)]


def test_threads_of_the_app_and_tasks_keep_what_python_gives_them(traces: Traced) -> None:
    async def main() -> None:
        with runspan.span("caller"):
            await asyncio.gather(asyncio.to_thread(root, "thread"), asyncio.create_task(_root("task")))

    asyncio.run(main())
    assert sorted(tree(traces)) == [("caller", None), ("task", "caller"), ("thread", "caller")]


async def _root(name: str) -> None:
    root(name)


def test_a_function_that_returns_a_generator_expression_is_joined(traces: Traced) -> None:
    @runspan.observe
    def words() -> Iterator[str]:
        return (word for word in ["to", " be"])

    with runspan.span("caller"):
        made = words()
        root("sibling")
        assert list(made) == ["to", " be"]
    assert output(span(traces, "words")) == "to be"
    assert ("sibling", "caller") in tree(traces)


def test_items_that_are_shown_as_texts_but_are_none_are_not_joined(traces: Traced) -> None:
    @runspan.observe
    def things() -> Iterator[Any]:
        yield from (b"raw", root)

    list(things())
    assert output(span(traces, "things")) == ["raw", "<function root>"]


def test_what_inspect_says_is_preserved() -> None:
    @runspan.observe
    def plain() -> None: ...

    @runspan.observe
    async def coroutine() -> None: ...

    kinds = ("isfunction", "iscoroutinefunction", "isgeneratorfunction", "isasyncgenfunction", "isroutine")

    def said(function: Any) -> list[str]:
        return [kind for kind in kinds if getattr(inspect, kind)(function)]

    assert said(plain) == ["isfunction", "isroutine"]
    assert said(coroutine) == ["isfunction", "iscoroutinefunction", "isroutine"]
    assert said(letters) == ["isfunction", "isgeneratorfunction", "isroutine"]
    assert said(numbers) == ["isfunction", "isasyncgenfunction", "isroutine"]
    assert inspect.isgenerator(letters())
    assert inspect.isasyncgen(numbers())
