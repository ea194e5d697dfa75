"""What a busy app does with runs. Each turn gives the number of runs that it asked for, got or not.

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
SHORT_POLLS = {"poll_interval_ms": 20}
TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
    },
    {"type": "code_interpreter"},
    {"type": "file_search"},
]


def asked(app: App, scenario: str = "text") -> dict[str, Any]:
    thread = {"messages": [{"role": "user", "content": "What is 6 times 7?"}]}
    return {
        "assistant_id": app.assistant_id,
        "thread": thread,
        "extra_headers": {"X-Fake-Scenario": scenario},
    }


@runspan.observe(kind="tool")
def get_weather(**_: Any) -> str:
    return "12 °C"


def outputs(run: Any) -> dict[str, Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    given = [{"tool_call_id": call.id, "output": get_weather()} for call in calls]
    return {"run_id": run.id, "thread_id": run.thread_id, "tool_outputs": given}


async def polled(app: App, scenario: str) -> Any:
    """One that ends so, and is read."""
    run = await app.got(app.threads.create_and_run_poll(**asked(app, scenario), **SHORT_POLLS))
    await app.listed(thread_id=run.thread_id)
    return run


async def polled_by_hand(app: App) -> None:
    run = await app.got(app.threads.create_and_run(**asked(app)))
    while run.status in ("queued", "in_progress"):
        await app.got(asyncio.sleep(0.02) if app.is_async else time.sleep(0.02))  # type: ignore[func-returns-value]
        run = await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))
    await app.listed(thread_id=run.thread_id)


async def tools(app: App) -> None:
    run = await app.got(app.threads.create_and_run_poll(**asked(app, "function"), **SHORT_POLLS))
    await app.got(app.runs.submit_tool_outputs_and_poll(**outputs(run), **SHORT_POLLS))
    await app.listed(thread_id=run.thread_id)


async def tools_streamed(app: App) -> None:
    async with app.opened(app.threads.create_and_run_stream(**asked(app, "function"))) as stream:
        run = await app.got(stream.get_final_run())
    manager = app.runs.submit_tool_outputs_stream(**outputs(run), event_handler=app.handler())
    async with app.opened(manager) as stream:
        await app.got(stream.until_done())


async def streamed(app: App, scenario: str) -> None:
    """To its end, or until it breaks, or it is refused."""
    with contextlib.suppress(*([] if scenario == "text" else [Exception])):
        await app.each(await app.got(app.threads.create_and_run(**asked(app, scenario), stream=True)))


async def streamed_as_bytes(app: App) -> None:
    raw = app.threads.with_streaming_response.create_and_run(**asked(app), stream=True)
    async with app.opened(raw) as response:
        await app.each(response.iter_lines())


async def refused(app: App) -> None:
    with contextlib.suppress(openai.APIStatusError):
        await app.got(app.threads.create_and_run(assistant_id="asst_unknown"))


async def stream_closed_early(app: App) -> None:
    async with app.opened(await app.got(app.threads.create_and_run(**asked(app), stream=True))) as stream:
        await app.next_of(stream)


async def stream_forgotten(app: App) -> None:
    await app.next_of(await app.got(app.threads.create_and_run(**asked(app), stream=True)))


async def run_forgotten(app: App) -> None:
    """It goes out a minute after the server has let it expire."""
    await app.got(app.threads.create_and_run(**asked(app, "expired")))


async def given_away_and_taken_over(app: App) -> None:
    run = await app.got(app.threads.create_and_run(**asked(app)))
    with runspan.adopt(run.id, runspan.handoff(run.id)):
        await app.got(app.runs.poll(run.id, run.thread_id, **SHORT_POLLS))
        await app.listed(thread_id=run.thread_id)


async def files(app: App) -> None:
    file = await app.got(app.client.files.create(file=("notes.txt", b"The heron."), purpose="assistants"))
    await app.got(app.client.files.delete(file.id))


async def scored(app: App) -> None:
    runspan.score("helpful", 1.0, run_id=(await polled(app, "text")).id)


async def a_client_of_its_own(app: App) -> None:
    http = openai.DefaultAsyncHttpxClient if app.is_async else openai.DefaultHttpxClient
    client = app.client.with_options(http_client=http(verify=False))
    try:
        await polled_by_hand(App(app.kind, client, app.server, app.assistant_id))
    finally:
        await app.got(client.close())


async def poll_cancelled(app: App) -> None:
    run = await app.got(app.threads.create_and_run(**asked(app, "expired")))
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(app.runs.poll(run.id, run.thread_id, **SHORT_POLLS), 0.05)


async def stream_cancelled(app: App) -> None:
    async def read() -> None:
        async with app.threads.create_and_run_stream(**asked(app, "slow")) as stream:
            await stream.until_done()

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), 0.1)


def counted(play: Callable[..., Coroutine[Any, Any, object]], *arguments: str, runs: int = 1) -> Turn:
    async def turn(app: App) -> int:
        await play(app, *arguments)
        return runs

    turn.__name__ = " ".join((play.__name__, *arguments))
    return turn


BREAKING = ("stream_cut", "stream_error", "http_server_error", "http_dropped")
TURNS = [
    *(counted(polled, name) for name in ("text", "code_interpreter", "file_search", "failed", "incomplete")),
    *(counted(streamed, name) for name in ("text", *BREAKING)),
    *map(counted, (polled_by_hand, tools, tools_streamed, streamed_as_bytes, refused, stream_closed_early)),
    *map(counted, (stream_forgotten, run_forgotten, scored, a_client_of_its_own)),
    counted(given_away_and_taken_over, runs=2),
    counted(files, runs=0),
]
ASYNC_TURNS = [counted(poll_cancelled), counted(stream_cancelled)]
