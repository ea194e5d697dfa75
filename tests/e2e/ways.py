"""Every way into a run that asks for no tools, as one table: a way starts a run inside the span "create" and sees it to its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.playing import QUESTION, App, Case, here


@dataclass(frozen=True)
class Way:
    """`told`: in what its trace differs from that of a run that is polled three times and then listed."""

    play: Case
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.play.__name__


WAYS: list[Way] = []

STREAMED = {"polls": 0}


def way(**told: Any) -> Callable[[Case], Case]:
    def add(play: Case) -> Case:
        WAYS.append(Way(play, told))
        return play

    return add


# ---------------------------------------------------------------- polled


@way()
async def create_then_hand_written_polling(app: App) -> None:
    await app.polled(await app.started())
    await app.listed()


@way()
async def create_with_the_thread_id_as_a_positional_argument(app: App) -> None:
    with here("create"):
        run = await app.got(app.runs.create(app.thread_id, assistant_id=app.assistant_id))
    await app.polled(run)
    await app.listed()


@way()
async def create_and_poll(app: App) -> None:
    with here("create"):
        await app.got(app.runs.create_and_poll(**app.asked))
    await app.listed()


@way()
async def create_then_poll(app: App) -> None:
    run = await app.started()
    with here("poll"):
        await app.got(app.runs.poll(run.id, app.thread_id, poll_interval_ms=1))
    await app.listed()


@way()
async def create_with_everything_in_extra_body_and_extra_headers(app: App) -> None:
    """What a server adds to the API travels in `extra_body`, and so may the API's own words."""
    run = await app.started(
        assistant_id="asst_overridden",
        extra_body={"assistant_id": app.assistant_id},
        extra_headers={"X-App": "1"},
        extra_query={"q": "1"},
    )
    await app.polled(run)
    await app.listed()


@way(polls=2)
async def create_then_look_by_listing_runs_and_steps(app: App) -> None:
    """A run that the app finds over in a list of runs is over."""
    run = await app.started()
    for _ in range(2):
        await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id))
    app.server.clock.advance(5)  # type: ignore[attr-defined]
    await app.got(app.runs.list(app.thread_id))
    page = await app.got(app.runs.steps.list(run.id, thread_id=app.thread_id))
    await app.got(app.runs.steps.retrieve(page.data[0].id, thread_id=app.thread_id, run_id=run.id))
    await app.listed()


@way(name="invoke_agent Tutor")
async def update_and_read_while_it_runs(app: App) -> None:
    run = await app.started()
    await app.got(app.runs.update(run.id, thread_id=app.thread_id, metadata={"a": "b"}))
    await app.got(app.threads.retrieve(app.thread_id))
    await app.got(app.client.beta.assistants.retrieve(app.assistant_id))
    await app.polled(run)
    answer, question = await app.listed()
    await app.got(app.threads.messages.retrieve(answer.id, thread_id=app.thread_id))
    await app.got(app.threads.messages.update(question.id, thread_id=app.thread_id, metadata={"c": "d"}))


@way()
async def messages_read_one_by_one(app: App) -> None:
    run = await app.polled(await app.started())
    page = await app.got(app.runs.steps.list(run.id, thread_id=app.thread_id))
    message_id = page.data[0].step_details.message_creation.message_id
    await app.got(app.threads.messages.retrieve(message_id, thread_id=app.thread_id))


@way()
async def messages_listed_by_their_run(app: App) -> None:
    run = await app.polled(await app.started())
    await app.listed(run_id=run.id)


@way(status="cancelled", finish=("error",), usage=(0, 0, 0, 0), output=[], polls=1)
async def cancel(app: App) -> None:
    run = await app.started()
    with here("cancel"):
        run = await app.got(app.runs.cancel(run.id, thread_id=app.thread_id))
    await app.polled(run)


@way()
async def create_and_run_with_a_new_thread(app: App) -> None:
    with here("create"):
        run = await app.got(
            app.threads.create_and_run(assistant_id=app.assistant_id, thread=new_thread()),
        )
    await app.polled(run)
    await app.listed(thread_id=run.thread_id)


@way()
async def create_and_run_poll(app: App) -> None:
    with here("create"):
        run = await app.got(
            app.threads.create_and_run_poll(assistant_id=app.assistant_id, thread=new_thread())
        )
    await app.listed(thread_id=run.thread_id)


# ---------------------------------------------------------------- without models: plain dicts


@way()
async def posts_and_gets_of_plain_dicts(app: App) -> None:
    url = f"/threads/{app.thread_id}"
    body = {"assistant_id": app.assistant_id}
    with here("create"):
        run = await app.got(app.client.post(f"{url}/runs", cast_to=object, body=body))
    assert type(run) is dict
    while run["status"] in ("queued", "in_progress"):
        run = await app.got(app.client.get(f"{url}/runs/{run['id']}", cast_to=object))
    page = await app.got(app.client.get(f"{url}/messages", cast_to=object))
    assert type(page["data"][0]) is dict


@way()
async def posts_of_json_text_read_as_models(app: App) -> None:
    """`cast_to=object` may be mixed with the resources as the app likes."""
    with here("create"):
        run = await app.got(
            app.client.post(f"/threads/{app.thread_id}/runs", cast_to=object, body=json.loads(_body(app)))
        )
    await app.got(app.runs.poll(run["id"], app.thread_id))
    await app.listed()


def _body(app: App) -> str:
    return json.dumps({"assistant_id": app.assistant_id})


def new_thread() -> Any:
    return {"messages": [{"role": "user", "content": QUESTION}]}
