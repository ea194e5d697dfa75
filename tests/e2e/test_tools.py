"""Tool calls of real traffic: what a stream that is cut inside a step leaves, and what later looks add."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.playing import BOTH, App, playing
from tests.support.tracing import Traced, attribute, messages, traced

from runspan.fake import CodeInterpreter, FileResult, FileSearch, Logs, Message, Scenario, Tools

both_clients = pytest.mark.parametrize("kind", BOTH)

CODE = "import math\nprint(math.pi)"
COMPUTES = Scenario(
    phases=(Tools((CodeInterpreter(CODE, (Logs("3.14"),)),), seconds=1.0), Message("It is 3.14.")),
    poll_after_ms=1,
)
BIRDS = FileResult("file-birds", "birds.txt", 0.5, "The swift sleeps in the air.")
SEARCHES = Scenario(phases=(Tools((FileSearch((BIRDS,)),)), Message("In the air.")), poll_after_ms=1)
INCLUDED = "step_details.tool_calls[*].file_search.results[*].content"


async def stream(app: App, way: str) -> None:
    """Until the connection breaks."""
    try:
        if way == "raw":
            create = app.runs.with_streaming_response.create
            async with app.opened(create(**app.asked, stream=True)) as response:
                await app.got(response.read())
        else:
            await app.each(await app.got(app.runs.create(**app.asked, stream=True)))
    except Exception:
        return
    pytest.fail("the stream came to its end")


def tool(trace: Traced) -> Any:
    (span,) = trace.tools()
    return span


@both_clients
@pytest.mark.parametrize("way", ["events", "raw"])
def test_code_of_a_stream_that_was_cut_inside_its_step_goes_out_as_incomplete(way: str, kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await stream(app, way)

    with playing(kind, COMPUTES.but(cut_stream_after=8)) as app, traced() as trace:
        app.play(case)
        trace.handle.uninstrument()
        span = tool(trace)
        code = attribute(span, "gen_ai.tool.call.arguments")
        assert code
        assert CODE.startswith(code)
        assert code != CODE
        assert attribute(span, "runspan.tool.arguments.incomplete") is True
        (told,) = messages(trace.generation(), "output")
        assert told["parts"][0]["server_tool_call"] == {
            "type": "code_interpreter",
            "code": code,
            "incomplete": True,
        }


@both_clients
def test_what_the_app_reads_later_takes_the_place_of_the_pieces(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await stream(app, "events")
        (run,) = (await app.got(app.runs.list(app.thread_id))).data
        run = await app.polled(await app.got(app.runs.retrieve(run.id, thread_id=app.thread_id)))
        await app.got(app.runs.steps.list(run.id, thread_id=app.thread_id))
        await app.listed()

    with playing(kind, COMPUTES.but(cut_stream_after=8)) as app, traced() as trace:
        app.play(case)
        span = tool(trace)
        assert attribute(span, "gen_ai.tool.call.arguments") == CODE
        assert json.loads(attribute(span, "gen_ai.tool.call.result")) == [{"type": "logs", "logs": "3.14"}]
        assert attribute(span, "runspan.tool.arguments.incomplete") is None
        assert attribute(span, "runspan.step.status") == "completed"


@both_clients
def test_file_contents_are_there_once_the_app_has_included_them(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        run = await app.polled(await app.started())
        for query in ({"include[]": INCLUDED}, {}):
            await app.got(app.runs.steps.list(run.id, thread_id=app.thread_id, extra_query=query))
        await app.listed()

    with playing(kind, SEARCHES) as app, traced() as trace:
        app.play(case)
        documents = json.loads(attribute(tool(trace), "gen_ai.retrieval.documents"))
        assert documents == [
            {"id": "file-birds", "score": 0.5, "content": BIRDS.content, "name": "birds.txt"}
        ]


@both_clients
def test_the_vector_store_of_the_assistant_is_named(kind: str) -> None:
    async def case(app: App) -> None:
        stores = getattr(app.client, "vector_stores", None) or app.client.beta.vector_stores  # openai 1.30
        store = await app.got(stores.create(name="birds"))
        resources = {"file_search": {"vector_store_ids": [store.id]}}
        await app.got(app.client.beta.assistants.update(app.assistant_id, tool_resources=resources))
        await app.ask()
        run = await app.polled(await app.started())
        await app.got(app.runs.steps.list(run.id, thread_id=app.thread_id))
        await app.listed()
        app.seen["store"] = store.id

    with playing(kind, SEARCHES) as app, traced() as trace:
        app.play(case)
        for span in (tool(trace), trace.run()):
            assert attribute(span, "gen_ai.data_source.id") == app.seen["store"]


@both_clients
@pytest.mark.parametrize(("tools", "asked"), [([], 0), ([{"type": "code_interpreter"}], 1)])
def test_steps_are_fetched_for_runs_that_may_have_some(tools: list[Any], asked: int, kind: str) -> None:
    async def case(app: App) -> None:
        await app.got(app.client.beta.assistants.update(app.assistant_id, tools=tools))
        await app.ask()
        await app.polled(await app.started())
        await app.flushed()

    with playing(kind, COMPUTES if tools else "text") as app, traced(fetch="auto") as trace:
        app.play(case)
        steps = [path for path in app.requests_of_runspan() if path.endswith("/steps")]
        assert len(steps) == asked
        assert len(trace.tools()) == asked
