"""The streamed ways into a run; they register in the same table."""

from __future__ import annotations

import warnings
from typing import Any

from tests.support.playing import App, here
from ways import STREAMED, WAYS, Way, new_thread, way


@way(**STREAMED)
async def stream_with_an_event_handler(app: App) -> None:
    told: list[str] = []

    async def on_text_delta(_: Any, delta: Any, __: Any) -> None:
        told.append(delta.value)

    handler = app.handler(on_text_delta=on_text_delta)
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked, event_handler=handler)) as stream:
            await app.got(stream.until_done())
    assert "".join(told) == "It is 42."


@way(**STREAMED)
async def stream_with_a_handler_that_overrides_all_without_super(app: App) -> None:
    async def nothing(*_: Any) -> None: ...

    names = (
        *("on_event", "on_end", "on_exception", "on_timeout", "on_image_file_done"),
        *("on_run_step_created", "on_run_step_delta", "on_run_step_done"),
        *("on_tool_call_created", "on_tool_call_delta", "on_tool_call_done"),
        *("on_message_created", "on_message_delta", "on_message_done"),
        *("on_text_created", "on_text_delta", "on_text_done"),
    )
    handler = app.handler(calls_super=False, **dict.fromkeys(names, nothing))
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked, event_handler=handler)) as stream:
            await app.got(stream.until_done())


@way(**STREAMED)
async def stream_iterated(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            events = await app.each(stream)
    assert events[-1].event == "thread.run.completed"


@way(**STREAMED)
async def stream_by_its_text_deltas(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            assert "".join(await app.each(stream.text_deltas)) == "It is 42."


def _final(what: str) -> None:
    async def stream_and_get_final(app: App) -> None:
        with here("create"):
            async with app.opened(app.runs.stream(**app.asked)) as stream:
                await app.got(getattr(stream, what)())

    stream_and_get_final.__name__ = f"stream_and_{what}"
    WAYS.append(Way(stream_and_get_final, STREAMED))


for _name in ("get_final_run", "get_final_messages", "get_final_run_steps", "until_done"):
    _final(_name)


@way(**STREAMED)
async def create_and_stream(app: App) -> None:
    with here("create"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        async with app.opened(app.runs.create_and_stream(**app.asked)) as stream:
            await app.got(stream.until_done())


@way(**STREAMED)
async def create_with_stream_true(app: App) -> None:
    with here("create"):
        stream = await app.got(app.runs.create(**app.asked, stream=True))
    with here("read"):
        events = await app.each(stream)
    assert events[-1].event == "thread.run.completed"


@way(**STREAMED)
async def create_and_run_stream(app: App) -> None:
    with here("create"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        manager = app.threads.create_and_run_stream(assistant_id=app.assistant_id, thread=new_thread())
        async with app.opened(manager) as stream:
            await app.got(stream.until_done())


@way(**STREAMED)
async def create_and_run_with_stream_true(app: App) -> None:
    with here("create"):
        call = app.threads.create_and_run(assistant_id=app.assistant_id, thread=new_thread(), stream=True)
        stream = await app.got(call)
    await app.each(stream)


@way(polls=1)
async def stream_closed_early_then_polled(app: App) -> None:
    """A closed stream is not an ended run."""
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            event = await app.next_of(stream)
    app.server.clock.advance(5)  # type: ignore[attr-defined]
    await app.polled(event.data)
    await app.listed()
