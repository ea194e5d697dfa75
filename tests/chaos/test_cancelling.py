"""Async calls that are given up half-way, on asyncio's loop and on uvloop: anyio's cancel scopes, timeouts and task groups."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

import runspan
from runspan.fake import Server
from tests.chaos.counting import Counted, counting
from tests.support.playing import client_of

Main = Callable[[], Coroutine[Any, Any, None]]
QUESTION = {"messages": [{"role": "user", "content": "Hi?"}]}


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    """`anyio.run` on one of the loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    options = {"use_uvloop": request.param == "uvloop"}
    return lambda main: anyio.run(main, backend="asyncio", backend_options=options)


async def assistant_of(client: Any) -> str:
    id_: str = (await client.beta.assistants.create(model="gpt-4o-mini", name="Tutor")).id
    return id_


async def ask(client: Any, assistant_id: str, asked: list[str]) -> None:
    with runspan.span("turn"):
        run = await client.beta.threads.create_and_run_poll(assistant_id=assistant_id, thread=QUESTION)
        await client.beta.threads.messages.list(run.thread_id)
    asked.append(run.id)


async def read(client: Any, assistant_id: str, asked: list[str]) -> None:
    with runspan.span("turn"):
        stream = await client.beta.threads.create_and_run(
            assistant_id=assistant_id, thread=QUESTION, stream=True
        )
        async with stream:
            async for event in stream:
                if event.event == "thread.run.completed":
                    asked.append(event.data.id)
                await anyio.sleep(0)


def check(counted: Counted, server: Server, asked: list[str], turns: int) -> None:
    """What finished is whole; what was given up has one span, below its turn, and one generation unless its POST failed."""
    runs = counted.of("invoke_agent")
    whole = counted.runs_by_id()
    spans = {s.context.span_id: s.name for s in counted.ended if s.context}
    assert {spans[r.parent.span_id] for r in runs if r.parent} <= {"turn"}
    assert all(r.parent for r in runs)
    assert len(runs) <= turns
    assert set(asked) <= whole.keys()
    for run_id in asked:
        assert "runspan.run.unfinished" not in (whole[run_id].attributes or {})
    by_id = {r.context.span_id: r for r in runs if r.context}
    above = [chat.parent.span_id for chat in counted.of("chat") if chat.parent]
    assert len(above) == len(set(above)) == len(counted.of("chat"))
    assert {r.context.span_id for r in whole.values() if r.context} <= set(above) <= by_id.keys()


@pytest.mark.parametrize("turn", [ask, read], ids=["polled", "streamed"])
def test_turns_that_are_cancelled_at_any_point(
    turn: Any, run: Callable[[Main], None], server: Server, many: int
) -> None:
    """Each is given up one scheduling point later than the one before: in the POST, between polls, within the stream."""
    asked: list[str] = []
    times = 40 * many

    async def main() -> None:
        async with client_of("AsyncOpenAI", server, timeout=120) as client:
            assistant_id = await assistant_of(client)

            async def one(points: int) -> None:
                async with anyio.create_task_group() as group:
                    group.start_soon(turn, client, assistant_id, asked)
                    for _ in range(points):
                        await anyio.sleep(0.001)
                    group.cancel_scope.cancel()

            limit = anyio.Semaphore(20)

            async def in_turn(points: int) -> None:
                async with limit:
                    await one(points)

            async with anyio.create_task_group() as group:
                for n in range(times):
                    group.start_soon(in_turn, n % 80)

    with counting() as (_, counted):
        run(main)
    check(counted, server, asked, times)


def test_a_group_that_one_failure_cancels(run: Callable[[Main], None], server: Server, many: int) -> None:
    asked: list[str] = []
    failed: list[str] = []

    async def main() -> None:
        async with client_of("AsyncOpenAI", server, timeout=120) as client:
            assistant_id = await assistant_of(client)

            async def failing() -> None:
                await ask(client, assistant_id, asked)
                raise ValueError("of the app")

            async def together() -> None:
                async with anyio.create_task_group() as group:
                    group.start_soon(failing)
                    for turn in (ask, read, ask, read):
                        group.start_soon(turn, client, assistant_id, asked)

            for _ in range(4 * many):
                with pytest.raises(Exception, match="TaskGroup") as raised:
                    await together()
                failed.append(type(raised.value).__name__)

    with counting() as (_, counted):
        run(main)
    assert failed == ["ExceptionGroup"] * (4 * many)
    check(counted, server, asked, 5 * 4 * many)


def test_timeouts_come_out_as_the_apps_own(run: Callable[[Main], None], server: Server, many: int) -> None:
    asked: list[str] = []
    late: list[str] = []

    async def main() -> None:
        async with client_of("AsyncOpenAI", server, timeout=120) as client:
            assistant_id = await assistant_of(client)

            async def hurried(seconds: float) -> None:
                try:
                    with anyio.fail_after(seconds):
                        await ask(client, assistant_id, asked)
                except TimeoutError:
                    late.append("timeout")

            async with anyio.create_task_group() as group:
                for n in range(20 * many):
                    group.start_soon(hurried, 0.0 if n % 2 else 120.0)

    with counting() as (_, counted):
        run(main)
    assert (len(asked), len(late)) == (10 * many, 10 * many)
    check(counted, server, asked, 20 * many)
