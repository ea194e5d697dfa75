"""Nothing of ours keeps an app's objects alive, or leaves them to the garbage collector, when they would die by themselves."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

import runspan
from runspan.fake import Server, serve
from tests.support import app
from tests.support.playing import App, client_of
from tests.support.tracing import dies_with_its_app, traced

ToolInvocation = Callable[[App], Any]  # what the app does; its result is what must die


async def whole_stream(app: App) -> Any:
    stream = await app.got(app.runs.create(**app.asked, stream=True))
    await app.each(stream)
    return stream


async def closed_stream(app: App) -> Any:
    stream = await app.got(app.runs.create(**app.asked, stream=True))
    await app.next_of(stream)
    await app.got(stream.close())
    return stream


async def with_block(app: App) -> Any:
    async with app.opened(app.runs.stream(**app.asked)) as stream:
        await app.got(stream.until_done())
    return stream


async def raw_never_read(app: App) -> Any:
    raw = app.runs.with_raw_response
    return (await app.got(raw.create(**app.asked, stream=True))).http_response


async def raw_read_in_part(app: App) -> Any:
    response = await raw_never_read(app)
    pieces = response.aiter_bytes() if app.is_async else response.iter_bytes()
    async with contextlib.AsyncExitStack() as stack:
        if app.is_async:
            stack.push_async_callback(pieces.aclose)
        await app.next_of(pieces)
    return response


async def raw_read(app: App) -> Any:
    response = await raw_never_read(app)
    await app.got(response.aread() if app.is_async else response.read())
    return response


async def raw_json(app: App) -> Any:
    return (await app.got(app.runs.with_raw_response.create(**app.asked))).http_response


async def streaming_json(app: App) -> Any:
    async with app.opened(app.runs.with_streaming_response.create(**app.asked)) as response:
        await app.got(response.read())
    return response.http_response


async def plain(app: App) -> Any:
    return await app.got(app.runs.create(**app.asked))


USES = [
    *(whole_stream, closed_stream, with_block, raw_never_read, raw_read_in_part, raw_read),
    *(raw_json, streaming_json, plain),
]


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def dies(use: ToolInvocation, kind: str, part: str | None) -> bool:
    """Whether what `use` gives (or a part of it) is gone as soon as the app lets it go."""
    with serve("text") as server:
        app = App(kind, client_of(kind, server), server)
        with client_of("OpenAI", server) as setting_up:
            app.assistant_id = setting_up.beta.assistants.create(model="m", instructions="x").id
            app.thread_id = setting_up.beta.threads.create().id

        async def case(app: App) -> weakref.ref[Any]:
            used = await use(app)
            return weakref.ref(used if part is None else getattr(used, part))

        died = app.play(case)() is None
        gc.collect()
        return died


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("kind", ["OpenAI", "AsyncOpenAI"])
@pytest.mark.parametrize("use", USES)
def test_what_dies_without_us_dies_with_us(use: ToolInvocation, kind: str) -> None:
    part = "response" if use in (whole_stream, closed_stream) else None
    bare = dies(use, kind, part)
    with traced():
        assert dies(use, kind, part) == bare
        runspan.flush(10)


@pytest.mark.skipif(
    not app.HTTP.__name__.startswith("httpx2"), reason="responses of httpx are cycles by themselves"
)
@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("use", [raw_never_read, raw_json, streaming_json, plain, raw_read])
def test_these_die_at_once(use: ToolInvocation) -> None:
    """So the test above says something."""
    assert dies(use, "OpenAI", None)


class OwnToken(openai.OpenAI):
    """Its provider of keys leads back to it, so that the collector alone frees it, with runspan and without."""

    def __init__(self, server: Server) -> None:
        super().__init__(base_url=server.base_url, api_key="of its own")
        self.provider = self.token  # a bound method

    def token(self) -> str:
        return "of its own"


def test_a_client_that_its_own_settings_lead_back_to_dies_with_its_app() -> None:
    def used(server: Server) -> weakref.ref[Any]:
        with OwnToken(server) as client:
            assistant = client.beta.assistants.create(model="m", instructions="x")
            client.beta.threads.create_and_run_poll(assistant_id=assistant.id)
        return weakref.ref(client)

    assert dies_with_its_app(used)
