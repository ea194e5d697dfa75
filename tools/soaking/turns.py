"""What a busy app does with runs, as one table. Each turn gives the number of runs that it asked for, got or not.

Written once for both clients, like the end-to-end tests; those that cancel a task are for the async one alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any

import openai
from tests.support.playing import App

import runspan

Turn = Callable[[App], Coroutine[Any, Any, int]]
TURNS: list[Turn] = []
ASYNC_TURNS: list[Turn] = []
SHORT_POLLS = {"poll_interval_ms": 20}
THREAD: Any = {"messages": [{"role": "user", "content": "What is 6 times 7?"}]}


def turn(play: Turn) -> Turn:
    TURNS.append(play)
    return play


def async_turn(play: Turn) -> Turn:
    ASYNC_TURNS.append(play)
    return play


def asked(app: App, scenario: str) -> dict[str, Any]:
    return {
        "assistant_id": app.assistant_id,
        "thread": THREAD,
        "extra_headers": {"X-Fake-Scenario": scenario},
    }


async def pause(app: App, seconds: float) -> None:
    if app.is_async:
        await asyncio.sleep(seconds)
    else:
        time.sleep(seconds)


@runspan.observe(kind="tool")
def get_weather(**_: Any) -> str:
    return "12 °C"


def outputs(run: Any) -> dict[str, Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    given = [{"tool_call_id": call.id, "output": get_weather()} for call in calls]
    return {"run_id": run.id, "thread_id": run.thread_id, "tool_outputs": given}


def polled(scenario: str) -> None:
    """One that ends so, and is read."""

    async def play(app: App) -> int:
        run = await app.got(app.threads.create_and_run_poll(**asked(app, scenario), **SHORT_POLLS))
        await app.listed(thread_id=run.thread_id)
        return 1

    turn(play)


for _scenario in ("text", "code_interpreter", "file_search", "failed", "incomplete"):
    polled(_scenario)


@turn
async def polled_by_hand(app: App) -> int:
    thread = await app.got(app.threads.create(**THREAD))
    run = await app.got(app.runs.create(thread.id, assistant_id=app.assistant_id))
    while run.status in ("queued", "in_progress"):
        await pause(app, 0.02)
        run = await app.got(app.runs.retrieve(run.id, thread_id=thread.id))
    await app.listed(thread_id=thread.id)
    return 1


@turn
async def tools(app: App) -> int:
    run = await app.got(app.threads.create_and_run_poll(**asked(app, "function"), **SHORT_POLLS))
    await app.got(app.runs.submit_tool_outputs_and_poll(**outputs(run), **SHORT_POLLS))
    await app.listed(thread_id=run.thread_id)
    return 1


@turn
async def tools_streamed(app: App) -> int:
    async with app.opened(app.threads.create_and_run_stream(**asked(app, "function"))) as stream:
        run = await app.got(stream.get_final_run())
    manager = app.runs.submit_tool_outputs_stream(**outputs(run), event_handler=app.handler())
    async with app.opened(manager) as stream:
        await app.got(stream.until_done())
    return 1


@turn
async def streamed(app: App) -> int:
    await app.each(await app.got(app.threads.create_and_run(**asked(app, "text"), stream=True)))
    return 1


@turn
async def streamed_as_bytes(app: App) -> int:
    raw = app.threads.with_streaming_response.create_and_run(**asked(app, "text"), stream=True)
    async with app.opened(raw) as response:
        await app.each(response.iter_lines())
    return 1


@turn
async def raw(app: App) -> int:
    response = await app.got(app.threads.with_raw_response.create_and_run(**asked(app, "text")))
    run = response.parse()
    await app.got(app.runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id))
    return 1


def broken(scenario: str) -> None:
    """A stream that breaks, or a run that is refused."""

    async def play(app: App) -> int:
        with contextlib.suppress(Exception):
            await app.each(await app.got(app.threads.create_and_run(**asked(app, scenario), stream=True)))
        return 1

    turn(play)


for _scenario in ("stream_cut", "stream_error", "http_server_error", "http_dropped"):
    broken(_scenario)


@turn
async def refused(app: App) -> int:
    with contextlib.suppress(openai.APIStatusError):
        await app.got(app.threads.create_and_run(assistant_id="asst_unknown"))
    return 1


@turn
async def stream_closed_early(app: App) -> int:
    async with app.opened(
        await app.got(app.threads.create_and_run(**asked(app, "text"), stream=True))
    ) as stream:
        await app.next_of(stream)
    return 1


@turn
async def stream_forgotten(app: App) -> int:
    await app.next_of(await app.got(app.threads.create_and_run(**asked(app, "text"), stream=True)))
    return 1


@turn
async def run_forgotten(app: App) -> int:
    """It goes out a minute after the server has let it expire."""
    await app.got(app.threads.create_and_run(**asked(app, "expired")))
    return 1


@turn
async def given_away_and_taken_over(app: App) -> int:
    run = await app.got(app.threads.create_and_run(**asked(app, "text")))
    with runspan.adopt(run.id, runspan.handoff(run.id)):
        await app.got(app.runs.poll(run.id, run.thread_id, **SHORT_POLLS))
        await app.listed(thread_id=run.thread_id)
    return 2


@turn
async def files(app: App) -> int:
    file = await app.got(
        app.client.files.create(file=("notes.txt", b"The heron stands still."), purpose="assistants")
    )
    await app.got(app.client.files.delete(file.id))
    return 0


@turn
async def scored(app: App) -> int:
    run = await app.got(app.threads.create_and_run_poll(**asked(app, "text"), **SHORT_POLLS))
    await app.listed(thread_id=run.thread_id)
    runspan.score("helpful", 1.0, run_id=run.id)
    return 1


@turn
async def a_client_of_its_own(app: App) -> int:
    http = openai.DefaultAsyncHttpxClient if app.is_async else openai.DefaultHttpxClient
    client = app.client.with_options(http_client=http(verify=False))
    try:
        return await polled_by_hand(App(app.kind, client, app.server, app.assistant_id))
    finally:
        await app.got(client.close())


@async_turn
async def poll_cancelled(app: App) -> int:
    run = await app.got(app.threads.create_and_run(**asked(app, "expired")))
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(app.runs.poll(run.id, run.thread_id, **SHORT_POLLS), 0.05)
    return 1


@async_turn
async def stream_cancelled(app: App) -> int:
    async def read() -> None:
        async with app.threads.create_and_run_stream(**asked(app, "slow")) as stream:
            await stream.until_done()

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), 0.1)
    return 1
