"""Runs that ask for a function: the outputs submitted in every manner, one of them from inside a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.playing import ANSWER, USAGE, App, Case, here
from ways import Way

from runspan.fake import FunctionCall, Message, Scenario, Tools, Usage

ASKING = Scenario(
    phases=(
        Tools((FunctionCall("get_weather", '{"city":"Paris"}'),), seconds=1.0, usage=Usage(0, 0)),
        Message(ANSWER, usage=USAGE, seconds=1.0),
    ),
    queue_s=0.5,
    poll_after_ms=1,
)
TOOLS: Mapping[str, Any] = {"tools": [("get_weather", "12 °C")]}

TOOL_WAYS: list[Way] = []


def way(**told: Any) -> Callable[[Case], Case]:
    def add(play: Case) -> Case:
        TOOL_WAYS.append(Way(play, {**TOOLS, **told}))
        return play

    return add


def outputs(run: Any) -> dict[str, Any]:
    """The arguments of a submission."""
    calls = run.required_action.submit_tool_outputs.tool_calls
    return {
        "run_id": run.id,
        "thread_id": run.thread_id,
        "tool_outputs": [{"tool_call_id": call.id, "output": "12 °C"} for call in calls],
    }


@way(polls=4)
async def submit_tool_outputs_between_polls(app: App) -> None:
    run = await app.polled(await app.started())
    with here("submit"):
        run = await app.got(app.runs.submit_tool_outputs(**outputs(run)))
    await app.polled(run)
    await app.listed()


@way(polls=4)
async def submit_tool_outputs_with_the_run_id_as_a_positional_argument(app: App) -> None:
    run = await app.polled(await app.started())
    given = outputs(run)
    await app.polled(await app.got(app.runs.submit_tool_outputs(given.pop("run_id"), **given)))
    await app.listed()


@way(polls=4)
async def create_and_poll_then_submit_tool_outputs_and_poll(app: App) -> None:
    with here("create"):
        run = await app.got(app.runs.create_and_poll(**app.asked))
    await app.got(app.runs.submit_tool_outputs_and_poll(**outputs(run)))
    await app.listed()


@way(polls=4)
async def raw_submit_tool_outputs(app: App) -> None:
    run = await app.polled(await app.started())
    response = await app.got(app.runs.with_raw_response.submit_tool_outputs(**outputs(run)))
    await app.polled(response.parse())
    await app.listed()


@way(polls=0)
async def stream_then_submit_tool_outputs_stream(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            run = await app.got(stream.get_final_run())
    with here("submit"):
        async with app.opened(app.runs.submit_tool_outputs_stream(**outputs(run))) as stream:
            await app.got(stream.until_done())


@way(polls=0)
async def submit_tool_outputs_stream_from_inside_on_event_with_a_second_handler(app: App) -> None:
    """One run, one run span, two streams, the first still open while the second is read to its end."""
    texts: list[str] = []

    async def on_text_done(_: Any, text: Any) -> None:
        texts.append(text.value)

    async def on_event(_: Any, event: Any) -> None:
        if event.event == "thread.run.requires_action":
            second = app.handler(on_text_done=on_text_done)
            manager = app.runs.submit_tool_outputs_stream(**outputs(event.data), event_handler=second)
            async with app.opened(manager) as stream:
                await app.got(stream.until_done())

    with here("create"):
        async with app.opened(
            app.runs.stream(**app.asked, event_handler=app.handler(on_event=on_event))
        ) as stream:
            await app.got(stream.until_done())
    assert texts == [ANSWER]


@way(polls=0)
async def submit_tool_outputs_with_stream_true(app: App) -> None:
    with here("create"):
        events = await app.each(await app.got(app.runs.create(**app.asked, stream=True)))
    run = events[-1].data
    await app.each(await app.got(app.runs.submit_tool_outputs(**outputs(run), stream=True)))


@way(polls=0)
async def raw_submit_tool_outputs_with_stream_true(app: App) -> None:
    with here("create"):
        response = await app.got(app.runs.with_raw_response.create(**app.asked, stream=True))
    run = (await app.each(response.parse()))[-1].data
    raw = app.runs.with_streaming_response
    async with app.opened(raw.submit_tool_outputs(**outputs(run), stream=True)) as response:
        await app.each(response.iter_lines())


@way(polls=2)
async def stream_then_submit_tool_outputs_then_poll(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            run = await app.got(stream.get_final_run())
    run = await app.got(app.runs.submit_tool_outputs(**outputs(run)))
    await app.polled(run)
    await app.listed()
