"""Code that ends in another context than it began in: silent as without us, every span once, nothing current for ever."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from opentelemetry import trace

import runspan
from runspan.fake import SimulatedClock, serve
from tests.support.playing import client_of
from tests.support.tracing import Traced

from .trees import spans, tree

SHARED = runspan.span("turn")


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Any:
    with caplog.at_level(logging.WARNING):
        yield
    assert [record.getMessage() for record in caplog.records] == []


# ---------------------------------------------------------------- begun here, closed there


@runspan.observe
async def coroutine() -> None:
    await forever()


async def forever() -> None:
    await asyncio.Future()


async def block() -> None:
    with runspan.span("block"):
        await forever()


async def shared_block() -> None:
    async with SHARED:
        await forever()


@runspan.context(session_id="s")
async def within() -> None:
    await forever()


@runspan.observe(kind="tool")
async def tool() -> None:
    await forever()


def returned_coroutine() -> Any:
    return runspan.observe(lambda: forever(), name="returned")()


@runspan.observe
async def agenerator() -> AsyncGenerator[int]:
    await forever()
    yield 1


def first_of_agenerator() -> Any:
    return agenerator().asend(None)


@runspan.observe
def generator() -> Generator[int]:
    with runspan.span("inside"):
        yield 1
        yield 2


BEGUN = [
    coroutine,
    block,
    shared_block,
    within,
    tool,
    returned_coroutine,
    first_of_agenerator,
]


def elsewhere(work: Callable[[], Any]) -> Any:
    """In another context, begun when nothing of ours was current."""
    return contextvars.Context().run(work)


def in_a_copy(work: Callable[[], Any]) -> Any:
    return contextvars.copy_context().run(work)


@pytest.mark.parametrize("closing", [elsewhere, in_a_copy, lambda work: work()])
@pytest.mark.parametrize("beginning", [elsewhere, in_a_copy, lambda work: work()])
@pytest.mark.parametrize("begun", BEGUN)
def test_what_is_closed_in_another_context_ends_silently(
    traces: Traced, begun: Callable[[], Any], beginning: Any, closing: Any
) -> None:
    async def main() -> None:
        made = begun()
        beginning(lambda: made.send(None))
        closing(made.close)

    asyncio.run(main())
    assert len(spans(traces)) == (0 if begun is within else 1)
    assert not trace.get_current_span().get_span_context().is_valid


# Below the client, anyio waits once more in a call that is closed while it connects, on 3.14, also without us: a RuntimeError then.


@pytest.mark.parametrize("closing", [elsewhere, in_a_copy])
def test_a_call_that_is_closed_in_another_context_ends_silently(traces: Traced, closing: Any) -> None:
    async def main(client: Any) -> None:
        made = client.beta.threads.create_and_run(assistant_id="asst_1")
        in_a_copy(lambda: made.send(None))
        with suppress(RuntimeError):
            closing(made.close)
        await client.close()

    with serve("text", SimulatedClock()) as server:
        asyncio.run(main(client_of("AsyncOpenAI", server)))
    assert len(traces.runs()) == 1


def test_a_call_closed_where_it_is_still_current_leaves_nothing_current(traces: Traced) -> None:
    """In a copy of the context in which it waits."""

    async def main(client: Any) -> None:
        made = client.beta.threads.create_and_run(assistant_id="asst_1")
        waiting = contextvars.copy_context()
        waiting.run(made.send, None)
        copy = waiting.copy()
        assert copy.run(trace.get_current_span).is_recording()
        with suppress(RuntimeError):
            copy.run(made.close)
        assert not copy.run(trace.get_current_span).get_span_context().is_valid
        await client.close()

    with serve("text", SimulatedClock()) as server:
        asyncio.run(main(client_of("AsyncOpenAI", server)))
    assert len(traces.runs()) == 1


def test_a_generator_stepped_in_many_contexts(traces: Traced) -> None:
    steps = generator()
    assert [elsewhere(lambda: next(steps)), in_a_copy(lambda: next(steps))] == [1, 2]
    elsewhere(steps.close)
    assert sorted(tree(traces), key=str) == [("generator", None), ("inside", "generator")]


# ---------------------------------------------------------------- one object, many entries


def test_each_entry_of_one_object_is_a_span(traces: Traced) -> None:
    with SHARED as outer, SHARED:
        assert runspan.current_span_id() == outer.span_id
    with SHARED:
        pass
    assert tree(traces) == [("turn", None), ("turn", "turn"), ("turn", None)]


def test_tasks_and_threads_share_an_object(traces: Traced) -> None:
    everyone = threading.Barrier(3)

    async def task(number: int) -> None:
        async with SHARED:
            for _ in range(number):
                await asyncio.sleep(0)
            SHARED.update(output=number)
            assert SHARED.span_id == runspan.current_span_id()

    async def tasks() -> None:
        await asyncio.gather(*(task(number) for number in range(5)))

    def thread(number: int) -> None:
        with SHARED:
            everyone.wait(10)
            SHARED.update(output=number)
            everyone.wait(10)

    asyncio.run(tasks())
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(thread, range(5, 8)))
    outputs = [(s.attributes or {})["output.value"] for s in spans(traces)]
    assert sorted(outputs) == [str(number) for number in range(8)]
    assert {parent for _, parent in tree(traces)} == {None}


def test_the_entry_that_is_left_is_the_one_of_the_same_with(traces: Traced) -> None:
    """One task's block is closed from within another's block of the same object."""

    async def held() -> AsyncGenerator[str | None]:
        with SHARED:
            yield runspan.current_span_id()

    async def main() -> list[str | None]:
        agen = held()
        first = await contextvars.Context().run(asyncio.create_task, anext(agen))  # type: ignore[arg-type]
        with SHARED as own:
            second = own.span_id
            await contextvars.copy_context().run(asyncio.create_task, agen.aclose())  # type: ignore[arg-type]
            assert len(spans(traces)) == 1
            assert runspan.current_span_id() == second
        return [first, second]

    ids = asyncio.run(main())
    assert [trace.format_span_id(s.context.span_id) for s in spans(traces)] == ids


def test_entries_by_hand_are_left_one_by_one(traces: Traced) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(SHARED)
    SHARED.__exit__(None, None, None)  # of nothing
    assert tree(traces) == [("turn", None), ("turn", "turn"), ("turn", "turn")]


def test_an_entry_from_before_instrument_takes_no_span_with_it(traces: Traced) -> None:
    with runspan.span("other"):
        pass
    runspan.uninstrument()
    before = SHARED.__enter__()
    with runspan.span("not recorded"):
        before.__exit__(None, None, None)
    assert [s.name for s in spans(traces)] == ["other"]
