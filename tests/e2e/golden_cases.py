"""The scenarios whose traces are kept as files: what the server does, what the app asks for."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.playing import QUESTION, App

from runspan.fake import (
    SCENARIOS,
    CodeInterpreter,
    Ending,
    FileCitation,
    FilePath,
    FileResult,
    FileSearch,
    FunctionCall,
    Image,
    ImageFile,
    Logs,
    Message,
    Refusal,
    Retrieval,
    Scenario,
    Text,
    Tools,
    Usage,
)

POLLED, STREAMED = "polled", "streamed"
INCLUDE = {"include[]": "step_details.tool_calls[*].file_search.results[*].content"}


def course(*phases: Any, **more: Any) -> Scenario:
    return Scenario(**{"phases": phases, "queue_s": 1.5, "poll_after_ms": 1, **more})


def uses(*calls: Any) -> Tools:
    return Tools(calls, seconds=1.0, usage=Usage(100, 20, cached_tokens=64))


def says(content: Any, **more: Any) -> Message:
    return Message(content, **{"seconds": 1.0, "usage": Usage(200, 30, 128, 16), **more})


async def ask(app: App) -> None:
    await app.ask()


@dataclass(frozen=True)
class Case:
    """`steps`: how a polling app reads the steps; None: not at all. `is_answered`: functions get their outputs."""

    scenario: Scenario
    tools: tuple[Any, ...] = ()
    ask: Callable[[App], Awaitable[None]] = ask
    run: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, Any] | None = None
    is_answered: bool = True
    breaks: bool = False  # the stream does
    ways: tuple[str, ...] = (POLLED, STREAMED)


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
OUTPUTS = {"Paris": '{"celsius":21}', "Berlin": "rain", "Bern": "snow"}
PLOT = CodeInterpreter(
    "plot(squares)\nprint(sum(squares))", (Logs("385\n"), Image("file-plot1234"), Logs("done"))
)
BIRDS = (
    FileResult("file-birds123", "птицы.txt", 0.6802, "The swift sleeps in the air."),
    FileResult("file-trees123", "trees.txt", 0.25, "The oak does not."),
)
FOUND = (
    uses(FileSearch(BIRDS)),
    says((Text("The swift sleeps in the air", (FileCitation("file-birds123"),)),)),
)
PNG = f"data:image/png;base64,{base64.b64encode(b'PNG' * 100).decode()}"
SEARCH, CODE = {"type": "file_search"}, {"type": "code_interpreter"}


def weather(city: str) -> FunctionCall:
    return FunctionCall("get_weather", f'{{"city":"{city}"}}')


async def ask_with_images(app: App) -> None:
    parts: list[Any] = [
        {"type": "text", "text": "Which of these is a cat?"},
        {"type": "image_file", "image_file": {"file_id": "file-cat12345", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": PNG}},
    ]
    await app.ask(parts)  # type: ignore[arg-type]


async def ask_much(app: App) -> None:
    for n in range(300):
        await app.ask(f"Message {n} of 300.")


async def ask_as_of_old(app: App) -> None:
    await app.ask("What do the files say?", extra_body={"file_ids": ["file-old12345"]})


CASES: dict[str, Case] = {
    "parallel_functions": Case(
        course(uses(weather("Paris"), weather("Berlin")), says("Sunny and wet.")), (WEATHER,)
    ),
    "two_rounds": Case(
        course(uses(weather("Paris")), says("One more."), uses(weather("Bern")), says("Sun, snow.")),
        (WEATHER,),
    ),
    "code_interpreter": Case(
        course(
            says("I will plot it."),
            uses(PLOT),
            says((ImageFile("file-plot1234"), Text("Here: ", (FilePath("file-plot1234"),)))),
        ),
        (CODE,),
        steps={},
    ),
    "file_search": Case(course(*FOUND), (SEARCH,), steps={}),
    "file_search_included": Case(
        course(*FOUND), (SEARCH,), steps={"extra_query": INCLUDE}, run={"extra_query": INCLUDE}
    ),
    "failed_step": Case(
        course(
            uses(PLOT),
            ending=Ending(
                "failed", code="server_error", message="Sorry, something went wrong.", open_step=True
            ),
        ),
        (CODE,),
        steps={},
    ),
    "cancelled_step": Case(course(uses(PLOT), ending=Ending("cancelled", open_step=True)), (CODE,), steps={}),
    "expired_waiting": Case(
        course(uses(weather("Paris")), lifetime_s=6.0),
        (WEATHER,),
        steps={},
        is_answered=False,
        ways=(POLLED,),
    ),
    "incomplete_tokens": Case(
        course(
            says("Once upon a time", cut="max_tokens"),
            ending=Ending("incomplete", reason="max_completion_tokens"),
        )
    ),
    "content_filter": Case(
        course(says("Once upon", cut="content_filter"), ending=Ending("incomplete", reason="content_filter"))
    ),
    "refusal": Case(course(says((Refusal("I'm sorry, I cannot help with that."),)))),
    "images": Case(course(says("The second one.")), ask=ask_with_images),
    "thread_of_300": Case(course(says("I have read it all.")), ask=ask_much),
    "own_instructions_and_model": Case(
        course(says("Ahoy, 42!")),
        run={
            "model": "gpt-4.1",
            "instructions": "Talk like a pirate.",
            "additional_instructions": "Be brief.",
            "additional_messages": [{"role": "user", "content": "And be quick."}],
            "temperature": 0.2,
            "max_completion_tokens": 500,
            "response_format": {"type": "json_object"},
            "metadata": {"ship": "Queen Anne's Revenge"},
        },
    ),
    "v1": Case(
        course(uses(CodeInterpreter("6 * 7", (Logs("42"),))), uses(Retrieval()), says("It is 42."), era="v1"),
        (CODE, {"type": "retrieval"}),
        ask=ask_as_of_old,
        steps={},
    ),
    "cut_in_code": Case(
        course(uses(PLOT), says("Never said."), cut_stream_after=9), (CODE,), breaks=True, ways=(STREAMED,)
    ),
}
assert SCENARIOS, QUESTION  # the words above are theirs


async def play(app: App, case: Case, way: str) -> None:
    """One conversation, and what an app would read of it."""
    await app.got(app.client.beta.assistants.update(app.assistant_id, tools=list(case.tools)))
    await app.got(app.client.beta.assistants.retrieve(app.assistant_id))
    await case.ask(app)
    await (_polled if way == POLLED else _streamed)(app, case)


async def _polled(app: App, case: Case) -> None:
    run = await app.polled(await app.got(app.runs.create(**app.asked, **case.run)))
    while run.status == "requires_action":
        if case.is_answered:
            run = await app.got(app.runs.submit_tool_outputs(**answers(run)))
        else:
            run = await app.got(app.runs.retrieve(run.id, thread_id=run.thread_id))
        run = await app.polled(run)
    if case.steps is not None:
        await app.got(app.runs.steps.list(run.id, thread_id=run.thread_id, **case.steps))
    page = app.threads.messages.list(app.thread_id, limit=100)
    await app.each(page if app.is_async else iter(page))


async def _streamed(app: App, case: Case) -> None:
    stream = await app.got(app.runs.create(**app.asked, **case.run, stream=True))
    while stream is not None:
        run = None
        try:
            for event in await app.each(stream):
                run = event.data if event.event == "thread.run.requires_action" else run
        except Exception:
            assert case.breaks
        stream = None
        if run is not None:
            stream = await app.got(app.runs.submit_tool_outputs(**answers(run), stream=True))


def answers(run: Any) -> dict[str, Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    outputs = [
        {
            "tool_call_id": call.id,
            "output": next(o for c, o in OUTPUTS.items() if c in call.function.arguments),
        }
        for call in calls
    ]
    return {"run_id": run.id, "thread_id": run.thread_id, "tool_outputs": outputs}
