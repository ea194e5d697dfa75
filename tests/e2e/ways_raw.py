"""The same runs through `with_raw_response` and `with_streaming_response`, read in every manner the responses offer."""

from __future__ import annotations

import json
from typing import Any

from tests.support.playing import App, here
from ways import STREAMED, WAYS, way


async def _finished(app: App, run_id: str) -> None:
    await app.got(app.runs.poll(run_id, app.thread_id))
    await app.listed()


@way()
async def raw_create_retrieve_and_list(app: App) -> None:
    raw = app.runs.with_raw_response
    with here("create"):
        response = await app.got(raw.create(**app.asked))
    run = response.parse()
    while run.status in ("queued", "in_progress"):
        response = await app.got(raw.retrieve(run.id, thread_id=app.thread_id))
        run = response.parse()
    assert response.status_code == 200
    response = await app.got(app.threads.messages.with_raw_response.list(app.thread_id))
    assert len(response.parse().data) == 2


@way(polls=1)
async def raw_create_then_one_poll_of_a_model_that_is_over(app: App) -> None:
    """Which comes before our worker has looked at the raw answer."""
    with here("create"):
        response = await app.got(app.runs.with_raw_response.create(**app.asked))
    app.server.clock.advance(5)  # type: ignore[attr-defined]
    await app.got(app.runs.retrieve(json.loads(response.content)["id"], thread_id=app.thread_id))
    await app.listed()


@way()
async def raw_responses_that_nobody_parses(app: App) -> None:
    with here("create"):
        response = await app.got(app.runs.with_raw_response.create(**app.asked))
    run_id = json.loads(response.content)["id"]
    for _ in range(3):
        await app.got(app.runs.with_raw_response.retrieve(run_id, thread_id=app.thread_id))
    await app.got(app.threads.messages.with_raw_response.list(app.thread_id))


async def _streaming(app: App, call: Any, how: str) -> Any:
    """The body as JSON, read in one of the ways of a streaming response."""
    async with app.opened(call) as response:
        if how == "parse":
            found = await app.got(response.parse())
            return json.loads(found.model_dump_json()) if how == "parse" else found
        if how == "json":
            return await app.got(response.json())
        if how == "text":
            return json.loads(await app.got(response.text()))
        if how == "read":
            return json.loads(await app.got(response.read()))
        chunks = await app.each(getattr(response, how)())
        return json.loads((b"" if how == "iter_bytes" else "").join(chunks))


def _by(how: str) -> None:
    async def streaming(app: App) -> None:
        runs, messages = app.runs.with_streaming_response, app.threads.messages.with_streaming_response
        with here("create"):
            run = await _streaming(app, runs.create(**app.asked), how)
        while run["status"] in ("queued", "in_progress"):
            run = await _streaming(app, runs.retrieve(run["id"], thread_id=app.thread_id), how)
        page = await _streaming(app, messages.list(app.thread_id), how)
        assert len(page["data"]) == 2

    streaming.__name__ = f"streaming_create_retrieve_and_list_by_{how}"
    way()(streaming)


for _how in ("parse", "json", "text", "read", "iter_lines", "iter_bytes", "iter_text"):
    _by(_how)


@way()
async def streaming_create_parsed_then_the_poll_helper(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.with_streaming_response.create(**app.asked)) as response:
            run = await app.got(response.parse())
    await _finished(app, run.id)


# ---------------------------------------------------------------- event streams


@way(**STREAMED)
async def raw_create_with_stream_true_parsed(app: App) -> None:
    with here("create"):
        response = await app.got(app.runs.with_raw_response.create(**app.asked, stream=True))
    events = await app.each(response.parse())
    assert events[-1].event == "thread.run.completed"


def _stream_by(how: str) -> None:
    async def streaming(app: App) -> None:
        with here("create"):
            async with app.opened(
                app.runs.with_streaming_response.create(**app.asked, stream=True)
            ) as response:
                if how == "parse":
                    events = await app.each(await app.got(response.parse()))
                    assert events[-1].event == "thread.run.completed"
                elif how == "read":
                    assert b"thread.run.completed" in await app.got(response.read())
                elif how == "iter_bytes":
                    assert b"[DONE]" in b"".join(await app.each(response.iter_bytes()))
                else:
                    assert "[DONE]" in "".join(await app.each(getattr(response, how)()))

    streaming.__name__ = f"streaming_create_with_stream_true_by_{how}"
    way(**STREAMED)(streaming)


for _how in ("parse", "read", "iter_lines", "iter_bytes", "iter_text"):
    _stream_by(_how)


@way(**STREAMED)
async def raw_create_with_stream_true_in_small_pieces(app: App) -> None:
    """Events are cut anywhere, within a character too."""
    with here("create"):
        async with app.opened(app.runs.with_streaming_response.create(**app.asked, stream=True)) as response:
            pieces = await app.each(response.iter_bytes(7))
    assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


@way(polls=1)
async def raw_event_stream_left_early_then_one_poll_of_a_model_that_is_over(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.with_streaming_response.create(**app.asked, stream=True)) as response:
            event = await app.next_of(await app.got(response.parse()))
    app.server.clock.advance(5)  # type: ignore[attr-defined]
    await app.got(app.runs.retrieve(event.data.id, thread_id=app.thread_id))
    await app.listed()


RAW_WAYS = [w for w in WAYS if w.play.__module__ == __name__]
