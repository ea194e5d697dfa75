"""The official client's own helpers against the fake, each sync and async from one table."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from runspan.fake import Scenario, Server
from tests.fake.wire import FUNCTION, USER

# openai marks Assistants (2.54 on) with this one word, the other resources with a sentence (pyproject.toml).
pytestmark = pytest.mark.filterwarnings("ignore:deprecated$:DeprecationWarning")
POLL: Any = {"poll_interval_ms": 1}


async def ready(value: Any) -> Any:
    """What a call of either client gives."""
    return await value if inspect.isawaitable(value) else value


async def each(values: Any) -> AsyncIterator[Any]:
    """Items of a page, a stream, or text deltas of either client."""
    if hasattr(values, "__aiter__"):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value


@asynccontextmanager
async def opened(manager: Any) -> AsyncIterator[Any]:
    """The stream of a stream manager of either client."""
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            yield stream
    else:
        with manager as stream:
            yield stream


def handler_for(client: Any) -> Any:
    """A handler of the client's kind that notes the names of events."""
    if isinstance(client, openai.AsyncOpenAI):

        class AsyncNotes(openai.AsyncAssistantEventHandler):
            seen: list[str]

            async def on_event(self, event: Any) -> None:
                self.seen.append(event.event)

        handler: Any = AsyncNotes()
    else:

        class Notes(openai.AssistantEventHandler):
            seen: list[str]

            def on_event(self, event: Any) -> None:
                self.seen.append(event.event)

        handler = Notes()
    handler.seen = []
    return handler


def stores_of(client: Any) -> Any:
    """`client.vector_stores` was `client.beta.vector_stores` up to openai 1.65."""
    return client.vector_stores if hasattr(client, "vector_stores") else client.beta.vector_stores


async def prepared(client: Any, **assistant: Any) -> dict[str, str]:
    """Ids of a new assistant and a thread with a question."""
    made = await ready(client.beta.assistants.create(model="gpt-4o", **assistant))
    thread = await ready(client.beta.threads.create(messages=[USER]))
    return {"assistant_id": made.id, "thread_id": thread.id}


async def texts(client: Any, thread_id: str, **query: Any) -> list[str]:
    page = await ready(client.beta.threads.messages.list(thread_id, **query))
    return [message.content[0].text.value async for message in each(page)]


def outputs_for(run: Any, output: str = "cake") -> list[Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": one.id, "output": output} for one in calls]


async def create_and_poll(client: Any, server: Server) -> None:
    ids = await prepared(client)
    run = await ready(client.beta.threads.runs.create_and_poll(**ids, **POLL))
    assert (run.status, run.expires_at) == ("completed", None)
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens > 0
    assert await texts(client, ids["thread_id"], run_id=run.id) == [f"you said: {USER['content']}"]


async def create_and_run_poll(client: Any, server: Server) -> None:
    ids = await prepared(client)
    run = await ready(
        client.beta.threads.create_and_run_poll(
            assistant_id=ids["assistant_id"], thread={"messages": [USER]}, **POLL
        )
    )
    assert run.status == "completed"


async def stream_with_handler(client: Any, server: Server) -> None:
    ids, handler = await prepared(client), handler_for(client)
    async with opened(client.beta.threads.runs.stream(**ids, event_handler=handler)) as stream:
        await ready(stream.until_done())
        (message,) = await ready(stream.get_final_messages())
        (step,) = await ready(stream.get_final_run_steps())
        run = await ready(stream.get_final_run())
    assert handler.seen[0] == "thread.run.created"
    assert handler.seen[-1] == "thread.run.completed"
    assert (run.status, message.status, step.type) == ("completed", "completed", "message_creation")


async def stream_text_deltas(client: Any, server: Server) -> None:
    ids = await prepared(client)
    async with opened(client.beta.threads.runs.stream(**ids)) as stream:
        pieces = [piece async for piece in each(stream.text_deltas)]
    assert len(pieces) > 1
    assert await texts(client, ids["thread_id"], limit=1, order="desc") != []
    assert ("".join(pieces)) in await texts(client, ids["thread_id"])


async def raw_stream(client: Any, server: Server) -> None:
    ids = await prepared(client)
    stream = await ready(client.beta.threads.runs.create(**ids, stream=True))
    names = [event.event async for event in each(stream)]
    assert (names[0], names[-1]) == ("thread.run.created", "thread.run.completed")


async def create_and_run_stream(client: Any, server: Server) -> None:
    ids = await prepared(client)
    manager = client.beta.threads.create_and_run_stream(
        assistant_id=ids["assistant_id"], thread={"messages": [USER]}
    )
    async with opened(manager) as stream:
        names = [event.event async for event in each(stream)]
    assert names[:2] == ["thread.created", "thread.run.created"]


async def submit_and_poll(client: Any, server: Server) -> None:
    server.scenario = "function_rounds"
    ids = await prepared(client, tools=[FUNCTION])
    runs = client.beta.threads.runs
    run = await ready(runs.create_and_poll(**ids, **POLL))
    first = run.required_action.submit_tool_outputs.tool_calls[0].function
    assert (first.name, first.arguments) == ("lookup", '{"city":"Heron"}')
    for output in ("pizza", "cake"):
        assert run.status == "requires_action"
        run = await ready(
            runs.submit_tool_outputs_and_poll(
                run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run, output), **POLL
            )
        )
    assert run.status == "completed"
    assert (await texts(client, run.thread_id))[0] == "here is what I found: pizza; cake"


async def submit_stream(client: Any, server: Server) -> None:
    server.scenario = "parallel_functions"
    ids = await prepared(client, tools=[FUNCTION])
    async with opened(client.beta.threads.runs.stream(**ids)) as stream:
        run = await ready(stream.get_final_run())
    assert run.status == "requires_action"
    outputs = outputs_for(run)
    assert len(outputs) == 2
    manager = client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs
    )
    async with opened(manager) as stream:
        names = [event.event async for event in each(stream)]
    assert names[:3] == ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]
    assert names[-1] == "thread.run.completed"


async def poll_after_header(client: Any, server: Server) -> None:
    server.scenario = Scenario(queue_s=3.0, poll_after_ms=2)
    run = await ready(client.beta.threads.runs.create_and_poll(**await prepared(client)))
    assert run.status == "completed"
    polls = [one for one in server.requests if one.headers.get("x-stainless-poll-helper")]
    assert len(polls) >= 3


async def raw_responses(client: Any, server: Server) -> None:
    ids = await prepared(client)
    raw = await ready(client.beta.threads.runs.with_raw_response.create(**ids))
    assert raw.parse().status == "queued"
    assert raw.headers["openai-version"] == "2020-10-01"
    assert raw.headers["x-request-id"].startswith("req_")
    assert int(raw.headers["openai-processing-ms"]) > 0
    assert "openai-poll-after-ms" not in raw.headers
    polled = await ready(
        client.beta.threads.runs.with_raw_response.retrieve(raw.parse().id, thread_id=ids["thread_id"])
    )
    assert polled.parse().id == raw.parse().id


async def auto_paging(client: Any, server: Server) -> None:
    ids = await prepared(client)
    for number in range(7):
        await ready(
            client.beta.threads.messages.create(ids["thread_id"], role="user", content=f"message {number}")
        )
    listed = await texts(client, ids["thread_id"], limit=3)
    assert listed == [f"message {number}" for number in range(6, -1, -1)] + [USER["content"]]
    assert await texts(client, ids["thread_id"], limit=3, order="asc") == listed[::-1]


async def files_up_and_down(client: Any, server: Server) -> None:
    file = await ready(client.files.create(file=("birds.txt", b"Heron: waits\r\n"), purpose="assistants"))
    assert (file.filename, file.bytes, file.status) == ("birds.txt", 14, "processed")
    content = await ready(client.files.content(file.id))
    assert content.content == b"Heron: waits\r\n"
    page = await ready(client.files.list(purpose="assistants"))
    assert [one.id async for one in each(page)] == [file.id]
    assert (await ready(client.files.delete(file.id))).deleted


async def vector_stores(client: Any, server: Server) -> None:
    stores = stores_of(client)
    store = await ready(stores.create(name="birds"))
    file = await ready(
        stores.files.upload_and_poll(vector_store_id=store.id, file=("birds.txt", b"Heron: waits"), **POLL)
    )
    assert (file.status, file.usage_bytes) == ("completed", 12)
    batch = await ready(
        stores.file_batches.upload_and_poll(
            vector_store_id=store.id, files=[("a.txt", b"tacos"), ("b.txt", b"pizza")], **POLL
        )
    )
    assert (batch.status, batch.file_counts.completed) == ("completed", 2)
    assert (await ready(stores.retrieve(store.id))).file_counts.total == 3
    in_batch = await ready(stores.file_batches.list_files(batch.id, vector_store_id=store.id))
    assert len([one async for one in each(in_batch)]) == 2
    if hasattr(stores, "search"):
        found = await ready(stores.search(store.id, query="What does Heron do?", max_num_results=1))
        assert [one.filename async for one in each(found)] == ["birds.txt"]


async def file_search(client: Any, server: Server) -> None:
    file = await ready(client.files.create(file=("birds.txt", b"Heron: waits"), purpose="assistants"))
    resources = {"file_search": {"vector_stores": [{"file_ids": [file.id]}]}}
    ids = await prepared(client, tools=[{"type": "file_search"}], tool_resources=resources)
    run = await ready(client.beta.threads.runs.create_and_poll(**ids, **POLL))
    (answer,) = await texts(client, ids["thread_id"], run_id=run.id)
    assert answer == "the files say: Heron: waits【4:0†birds.txt】"
    asked = {"include[]": "step_details.tool_calls[*].file_search.results[*].content"}
    found = []
    for query in ({}, asked):
        page = await ready(
            client.beta.threads.runs.steps.list(
                run.id, thread_id=ids["thread_id"], order="asc", extra_query=query
            )
        )
        (first, _) = [step async for step in each(page)]
        found.append(first.to_dict()["step_details"]["tool_calls"][0]["file_search"]["results"][0])
    assert "content" not in found[0]
    assert found[1]["content"] == [{"type": "text", "text": "Heron: waits"}]


async def cancelling(client: Any, server: Server) -> None:
    server.scenario = "long_cancelling"
    ids = await prepared(client)
    runs = client.beta.threads.runs
    run = await ready(runs.create(**ids))
    assert (await ready(runs.cancel(run.id, thread_id=run.thread_id))).status == "cancelling"
    over = await ready(runs.poll(run.id, thread_id=run.thread_id, **POLL))
    assert (over.status, over.completed_at) == ("cancelled", None)
    assert over.cancelled_at is not None


async def per_run_settings(client: Any, server: Server) -> None:
    ids = await prepared(client, instructions="Be brief.")
    run = await ready(
        client.beta.threads.runs.create_and_poll(
            **ids,
            **POLL,
            model="gpt-4o-mini",
            additional_instructions="Please address the user as Jane Doe.",
            additional_messages=[{"role": "user", "content": "Solve 3x + 11 = 14"}],
            metadata={"turn": "1"},
        )
    )
    assert (run.model, run.metadata) == ("gpt-4o-mini", {"turn": "1"})
    assert run.instructions == "Be brief.\nPlease address the user as Jane Doe."
    (answer,) = await texts(client, ids["thread_id"], run_id=run.id)
    assert answer == "Jane Doe, the solution of 3x + 11 = 14 is x = 1."


CASES = (
    create_and_poll,
    create_and_run_poll,
    stream_with_handler,
    stream_text_deltas,
    raw_stream,
    create_and_run_stream,
    submit_and_poll,
    submit_stream,
    poll_after_header,
    raw_responses,
    auto_paging,
    files_up_and_down,
    vector_stores,
    file_search,
    cancelling,
    per_run_settings,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_helper(fake: Callable[..., Server], play: Callable[..., None], case: Any) -> None:
    play(case, fake())


def test_azure_clients_reach_the_same_api(fake: Callable[..., Server]) -> None:
    server = fake()
    azure: Any = openai.AzureOpenAI(
        azure_endpoint=server.azure_endpoint, api_key="none", api_version="2024-05-01-preview"
    )
    with azure as client:
        assistant = client.beta.assistants.create(model="gpt-4o")
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [USER]}, **POLL
        )
    assert run.status == "completed"
    assert {one.query["api-version"][0] for one in server.requests} == {"2024-05-01-preview"}
