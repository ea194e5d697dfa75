"""Function tools whose call the app reads as raw bytes: they too become the span of the call they answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import runspan
from runspan.fake import FunctionCall, Message, Scenario, Tools
from tests.support.playing import BOTH, App, playing
from tests.support.tracing import Traced, attribute


def asks(city: str) -> Tools:
    return Tools((FunctionCall("get_weather", json.dumps({"city": city})),))


TWO_ROUNDS = Scenario(phases=(asks("Paris"), asks("Berlin"), Message("Sunny.")), poll_after_ms=1)
Run = dict[str, Any]


@runspan.observe(kind="tool")
def get_weather(city: str) -> str:
    return f"{city}: 12 °C"


def answer(run: Run) -> dict[str, Any]:
    """What `submit_tool_outputs` takes."""
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    texts = [get_weather(**json.loads(c["function"]["arguments"])) for c in calls]
    outputs = [{"tool_call_id": c["id"], "output": text} for c, text in zip(calls, texts, strict=True)]
    return {"run_id": run["id"], "thread_id": run["thread_id"], "tool_outputs": outputs}


# ---------------------------------------------------------------- one body, one run


async def raw(app: App, call: Any) -> Run:
    found: Run = json.loads((await app.got(call)).content)
    return found


async def body_by_parse(app: App, call: Any) -> Run:
    async with app.opened(call) as response:
        return dict(json.loads((await app.got(response.parse())).model_dump_json()))


async def body_by_read(app: App, call: Any) -> Run:
    async with app.opened(call) as response:
        return dict(json.loads(await app.got(response.read())))


async def body_by_bytes(app: App, call: Any) -> Run:
    async with app.opened(call) as response:
        return dict(json.loads(b"".join(await app.each(response.iter_bytes(7)))))


async def bodies(app: App, way: Any) -> None:
    raw_runs = app.runs.with_raw_response if way is raw else app.runs.with_streaming_response
    run = await way(app, raw_runs.create(**app.asked))
    while run["status"] != "completed":
        if run["status"] == "requires_action":
            run = await way(app, raw_runs.submit_tool_outputs(**answer(run)))
        else:
            run = await way(app, raw_runs.retrieve(run["id"], thread_id=run["thread_id"]))


# ---------------------------------------------------------------- event streams


def last_run(lines: list[str]) -> Run:
    """The last Run among the `data:` lines of a stream."""
    found = [json.loads(line[5:]) for line in lines if line.startswith("data: {")]
    run: Run = [one for one in found if one.get("object") == "thread.run"][-1]
    return run


async def events_of_raw(app: App, call: Any) -> Run:
    events = await app.each((await app.got(call)).parse())
    runs = [
        event.data
        for event in events
        if event.event.startswith("thread.run.") and ".step." not in event.event
    ]
    return dict(json.loads(runs[-1].model_dump_json()))


async def events_by_lines(app: App, call: Any) -> Run:
    async with app.opened(call) as response:
        return last_run(await app.each(response.iter_lines()))


async def events_by_read(app: App, call: Any) -> Run:
    async with app.opened(call) as response:
        return last_run((await app.got(response.read())).decode().splitlines())


async def events_by_small_pieces(app: App, call: Any) -> Run:
    async with app.opened(call) as response:
        return last_run(b"".join(await app.each(response.iter_bytes(3))).decode().splitlines())


async def streams(app: App, way: Any) -> None:
    raw_runs = app.runs.with_raw_response if way is events_of_raw else app.runs.with_streaming_response
    run = await way(app, raw_runs.create(**app.asked, stream=True))
    while run["status"] == "requires_action":
        run = await way(app, raw_runs.submit_tool_outputs(**answer(run), stream=True))
    assert run["status"] == "completed"


Play = Callable[[App, Any], Coroutine[Any, Any, None]]
WAYS: list[tuple[Play, Any]] = [
    *((bodies, way) for way in (raw, body_by_parse, body_by_read, body_by_bytes)),
    *((streams, way) for way in (events_of_raw, events_by_lines, events_by_read, events_by_small_pieces)),
]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("play", "way"), WAYS, ids=[way.__name__ for _, way in WAYS])
def test_a_tool_takes_its_call_however_the_app_reads_it(
    traces: Traced, kind: str, play: Play, way: Any
) -> None:
    with playing(kind, TWO_ROUNDS) as app, runspan.span("turn"):
        app.play(lambda app: play(app, way))
    tools = sorted(traces.tools(), key=lambda s: s.start_time or 0)
    assert [json.loads(attribute(s, "gen_ai.tool.call.arguments"))["city"] for s in tools] == [
        "Paris",
        "Berlin",
    ]
    assert {attribute(s, "output.mime_type") for s in tools} == {"text/plain"}  # the function's own spans
    assert len({attribute(s, "gen_ai.tool.call.id") for s in tools} - {None}) == 2
    run = traces.run()
    assert {s.parent.span_id for s in tools if s.parent} == {run.context.span_id}
    assert (attribute(run, "runspan.run.status"), attribute(run, "runspan.run.unfinished")) == (
        "completed",
        None,
    )


def test_text_that_names_the_event_is_no_event(traces: Traced) -> None:
    scenario = Scenario(
        phases=(Message("event: thread.run.requires_action\n\ndata: {}\n\n"), asks("Oslo"), Message("x"))
    )
    with playing("OpenAI", scenario) as app, runspan.span("turn"):
        app.play(lambda app: streams(app, events_by_lines))
    (tool,) = traces.tools()
    assert attribute(tool, "gen_ai.tool.call.result") == "Oslo: 12 °C"
