"""Apps that read on where they had closed, and servers whose runs can't be followed: counted once, and nothing is kept."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from odd_objects import RUN
from tests.support.odd_server import Odd, odd_server
from tests.support.playing import BOTH, App, client_of, playing
from tests.support.tracing import traced
from ways import new_thread

from runspan.core.sse import Parser

both_clients = pytest.mark.parametrize("kind", BOTH)


@both_clients
@pytest.mark.parametrize("seen", [1, 2])
def test_a_stream_that_is_closed_and_then_read_on_is_one_run(seen: int, kind: str) -> None:
    """The client still gives what it had received; closed before it named its run, the run goes out without its id."""

    async def case(app: App) -> None:
        stream = await app.got(
            app.threads.create_and_run(assistant_id=app.assistant_id, thread=new_thread(), stream=True)
        )
        for _ in range(seen):
            await app.next_of(stream)
        await app.got(stream.close())
        with contextlib.suppress(Exception):  # httpx says that the stream was closed, sooner or later
            await app.each(stream)

    with playing(kind) as app, traced() as trace:
        app.play(case)
        trace.handle.uninstrument()
        stats = trace.handle.stats()
        names = [span.name.split()[0] for span in trace.exporter.get_finished_spans()]
    assert (stats.started, stats.unfinished) == (1, 1)
    assert sorted(names) == ["chat", "invoke_agent"]


@both_clients
def test_bytes_that_are_read_after_the_response_was_closed_leave_no_parser(kind: str) -> None:
    async def case(app: App) -> None:
        async with app.opened(app.runs.with_streaming_response.create(**app.asked, stream=True)) as response:
            pieces = response.iter_bytes(64)
            await app.next_of(pieces)
            await app.got(response.close())
            with contextlib.suppress(Exception):
                await app.each(pieces)

    with playing(kind) as app, traced() as trace:
        app.play(case)
        assert trace.handle.flush(10)
        gc.collect()
        assert [one for one in gc.get_objects() if type(one) is Parser] == []


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    with odd_server() as running:
        yield running


@both_clients
@pytest.mark.parametrize("how", ["plain", "raw", "streamed"])
def test_a_run_without_a_thread_goes_out_at_once_and_is_forgotten(how: str, kind: str, odd: Odd) -> None:
    run = {key: value for key, value in RUN.items() if key != "thread_id"}
    odd.bodies[("POST", "runs")], odd.events = [run], [("thread.run.created", run)]

    async def case(app: App) -> None:
        asked: Any = {"assistant_id": "asst_1"}
        if how == "streamed":
            await app.each(await app.got(app.threads.create_and_run(**asked, stream=True)))
        else:
            threads = app.threads.with_raw_response if how == "raw" else app.threads
            await app.got(threads.create_and_run(**asked))

    app = App(kind, client_of(kind, odd), odd)  # type: ignore[arg-type]
    with traced() as trace:
        app.play(case)
        assert trace.handle.flush(10)
        assert (trace.handle.stats().started, trace.handle.stats().unfinished) == (1, 1)
        tracker = trace.handle._tracker
        assert len(tracker.registry) == 0
