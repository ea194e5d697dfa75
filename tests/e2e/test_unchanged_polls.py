"""A poll that shows what the poll before it showed is counted where it was made: the worker gets no record of it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from odd_objects import OVER, RUN, WAITING
from tests.support.odd_server import odd_server
from tests.support.playing import BOTH, App, playing
from tests.support.tracing import attribute, traced

from runspan.fake import Message, Scenario, responses
from runspan.runtime.records import Call
from runspan.runtime.worker import Worker

both_clients = pytest.mark.parametrize("kind", BOTH)
every_way = pytest.mark.parametrize("way", ["plain", "raw", "read in pieces"])

POLLS = 12
QUEUED = Scenario(phases=(Message("It is 42."),), queue_s=1e6)
QUEUED_RESPONSE = responses.Scenario((responses.Message("It is 42."),), queue_s=1e6)


@pytest.fixture
def polls_read(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Records of polls that were put to the worker."""
    put, found = Worker.put, list[Call]()

    def noted(self: Worker, record: Any) -> None:
        if isinstance(record, Call) and record.match.route.is_poll:
            found.append(record)
        put(self, record)

    monkeypatch.setattr(Worker, "put", noted)
    return found


async def poll(app: App, way: str, resource: Any, *ids: Any, **more: Any) -> None:
    if way == "plain":
        await app.got(resource.retrieve(*ids, **more))
    elif way == "raw":
        await app.got(resource.with_raw_response.retrieve(*ids, **more))
    else:
        async with app.opened(resource.with_streaming_response.retrieve(*ids, **more)) as response:
            await app.each(response.iter_bytes(16))


@both_clients
@every_way
def test_of_a_run(way: str, kind: str, polls_read: list[Call]) -> None:
    async def case(app: App) -> None:
        run = await app.got(app.runs.create(**app.asked))
        for _ in range(POLLS):
            await poll(app, way, app.runs, run.id, thread_id=run.thread_id)

    with playing(kind, QUEUED, poll_step_s=0.0) as app, traced() as trace:
        app.play(case)
        assert polls_read == []
        trace.handle.uninstrument()
        (run, _) = sorted(trace.exporter.get_finished_spans(), key=lambda span: span.name, reverse=True)
    assert attribute(run, "runspan.run.polls") == POLLS


@pytest.mark.skipif(not find_spec("openai.types.responses"), reason="this openai has no responses")
@both_clients
@every_way
def test_of_a_background_response(way: str, kind: str, polls_read: list[Call]) -> None:
    async def case(app: App) -> None:
        asked = app.client.responses.create(model="gpt-4o", input="What is 6 times 7?", background=True)
        response = await app.got(asked)
        for _ in range(POLLS):
            await poll(app, way, app.client.responses, response.id)

    with playing(kind, poll_step_s=0.0, responses=QUEUED_RESPONSE) as app, traced() as trace:
        app.play(case)
        assert polls_read == []
        trace.handle.uninstrument()
        (run,) = trace.exporter.get_finished_spans()
    assert attribute(run, "runspan.run.polls") == POLLS


@both_clients
@every_way
def test_of_a_run_that_was_created_raw(way: str, kind: str, polls_read: list[Call]) -> None:
    async def case(app: App) -> None:
        raw = await app.got(app.runs.with_raw_response.create(**app.asked))
        run = raw.parse()
        for _ in range(POLLS):
            await poll(app, way, app.runs, run.id, thread_id=run.thread_id)

    with playing(kind, QUEUED, poll_step_s=0.0) as app, traced():
        app.play(case)
    assert polls_read == []


@both_clients
def test_each_that_shows_something_new_is_read_once(kind: str, polls_read: list[Call]) -> None:
    """The client's helper polls raw."""

    async def case(app: App) -> None:
        await app.got(app.runs.create_and_poll(**app.asked, poll_interval_ms=1))

    with playing(kind, Scenario(phases=(Message("It is 42.", seconds=6.0),), queue_s=6.0)) as app, traced():
        app.play(case)
    statuses = [record.result["status"] for record in polls_read[:-1]]  # type: ignore[index, call-overload]
    assert statuses == ["in_progress"]
    assert isinstance(polls_read[-1].result, bytes)


@both_clients
def test_what_was_shown_before_a_page_showed_something_else_is_new_after_it(kind: str) -> None:
    active = {**RUN, "status": "in_progress"}

    async def case(app: App) -> None:
        run = await app.got(app.runs.create(**app.asked))
        await poll(app, "plain", app.runs, run.id, thread_id=run.thread_id)
        await app.got(app.runs.list(run.thread_id))
        for _ in range(2):
            await poll(app, "plain", app.runs, run.id, thread_id=run.thread_id)

    with playing(kind) as app, odd_server() as odd, traced() as trace:
        odd.bodies["POST", "runs"] = [RUN]
        odd.bodies["GET", "runs/one"] = [active, active, OVER]
        odd.bodies["GET", "runs"] = [{"object": "list", "data": [WAITING], "has_more": False}]
        app.client, app.thread_id = app.client.with_options(base_url=odd.base_url), RUN["thread_id"]
        app.play(case)
        (run,) = [span for span in trace.spans() if attribute(span, "runspan.run.polls")]
    assert [event.name.removeprefix("thread.run.") for event in run.events] == [
        *("queued", "in_progress", "requires_action", "in_progress", "completed")
    ]


@both_clients
@every_way
def test_what_was_shown_before_the_run_waited_is_new_after_it(way: str, kind: str) -> None:
    """Another process submits the outputs: the next poll shows what the polls before the question showed."""
    active = {**RUN, "status": "in_progress"}

    async def case(app: App) -> None:
        run = await app.got(app.runs.create(**app.asked))
        for _ in range(5):
            await poll(app, way, app.runs, run.id, thread_id=run.thread_id)

    with playing(kind) as app, odd_server() as odd, traced() as trace:
        odd.bodies["POST", "runs"] = [RUN]
        odd.bodies["GET", "runs/one"] = [active, WAITING, active, active, OVER]
        app.client, app.thread_id = app.client.with_options(base_url=odd.base_url), RUN["thread_id"]
        app.play(case)
        (run,) = [span for span in trace.spans() if attribute(span, "runspan.run.polls")]
    assert attribute(run, "runspan.run.polls") == 5
    assert [event.name.removeprefix("thread.run.") for event in run.events] == [
        *("queued", "in_progress", "requires_action", "in_progress", "completed")
    ]
