"""Answers that are no objects at all, and event streams that make no sense: one run span, and an app that notices nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from odd_objects import MESSAGE, OVER, RUN, STEP, told_of
from tests.support.odd_server import Odd, odd_server
from tests.support.playing import BOTH, App, client_of
from tests.support.tracing import traced

both_clients = pytest.mark.parametrize("kind", BOTH)


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    with odd_server() as running:
        yield running


BODIES = [
    b"",
    b"<html>",
    b"null",
    b"[]",
    b'"text"',
    b"42",
    b'{"object": "thread.run"}',
    b"\xff\xfe",
    b"{" * 2_000,
]


@both_clients
@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:12]))
def test_a_body_that_is_no_run_gives_a_run_span_without_one(
    body: bytes, is_raw: bool, kind: str, odd: Odd
) -> None:
    async def case(app: App) -> Any:
        runs = app.runs.with_raw_response if is_raw else app.runs
        created = await told_of(app, lambda: runs.create(thread_id="thread_1", assistant_id="asst_1"))
        polled = await told_of(app, lambda: runs.retrieve("run_1", thread_id="thread_1"))
        listed = await told_of(app, lambda: app.threads.messages.with_raw_response.list("thread_1"))
        return [one[0] if is_raw else one for one in (created, polled, listed)]

    odd.bodies = {("POST", "runs"): [body], ("GET", "runs/one"): [body], ("GET", "messages"): [body]}
    bare = App(kind, client_of(kind, odd), odd).play(case)  # type: ignore[arg-type]
    with traced() as trace:
        assert App(kind, client_of(kind, odd), odd).play(case) == bare  # type: ignore[arg-type]
        assert len(trace.runs()) == 1


EVENTS: list[list[tuple[str, Any]]] = [
    [],
    [("thread.run.created", None)],
    [("thread.run.created", "[1]")],
    [("thread.run.created", RUN), ("thread.message.delta", {"id": None, "delta": None})],
    [("thread.run.created", RUN), ("thread.message.delta", {})],
    [("thread.run.created", RUN), ("thread.run.created", RUN), ("thread.run.queued", {**RUN, "id": "run_2"})],
    [
        ("thread.run.step.completed", STEP),
        ("thread.message.completed", MESSAGE),
        ("thread.run.completed", OVER),
    ],
    [("thread.run.completed", OVER), ("thread.run.in_progress", RUN)],
    [("thread.created", {"id": 7}), ("thread.run.completed", OVER)],
    [("ping", "{}"), ("thread.run.completed", OVER)],
]


@both_clients
@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize("number", range(len(EVENTS)))
def test_odd_event_streams_leave_the_app_alone_and_make_one_run_span(
    number: int, is_raw: bool, kind: str, odd: Odd
) -> None:
    async def case(app: App) -> Any:
        runs = app.runs.with_streaming_response if is_raw else app.runs

        async def read() -> Any:
            asked: Any = {"thread_id": "thread_1", "assistant_id": "asst_1", "stream": True}
            if not is_raw:
                return await app.each(await app.got(runs.create(**asked)))
            async with app.opened(runs.create(**asked)) as response:
                return await app.each(response.iter_lines())

        return await told_of(app, read)

    odd.events = EVENTS[number]
    bare = App(kind, client_of(kind, odd), odd).play(case)  # type: ignore[arg-type]
    with traced() as trace:
        assert App(kind, client_of(kind, odd), odd).play(case) == bare  # type: ignore[arg-type]
        trace.handle.uninstrument()
        assert len(trace.runs()) == len(trace.spans("chat")) == 1
