"""Function tools: the app's own function becomes the span of the call it answers, and of no other."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

import runspan
from runspan.fake import FunctionCall, Message, Scenario, SimulatedClock, Tools, serve
from tests.support.playing import client_of
from tests.support.tracing import Traced, attribute, traced

TWO = Scenario(
    phases=(
        Tools(
            (
                FunctionCall("get_weather", '{"city": "Paris"}'),
                FunctionCall("get_weather", '{"city": "Berlin"}'),
            )
        ),
        Message("Sunny."),
    ),
    poll_after_ms=1,
)
ONE = Scenario(
    phases=(Tools((FunctionCall("get_weather", '{"city": "Paris"}'),)), Message("Sunny.")), poll_after_ms=1
)


@runspan.observe(kind="tool")
def get_weather(city: str) -> str:
    return f"{city}: 12 °C"


Answer = Callable[[list[Any]], list[str]]


def call(one: Any) -> str:
    return get_weather(**json.loads(one.function.arguments))


def in_order(calls: list[Any]) -> list[str]:
    return [call(one) for one in calls]


def backwards(calls: list[Any]) -> list[str]:
    return [call(one) for one in reversed(calls)][::-1]


def in_a_pool(calls: list[Any]) -> list[str]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(call, calls))


def in_tasks(calls: list[Any]) -> list[str]:
    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(asyncio.to_thread(call, one) for one in calls))

    return asyncio.run(all_of_them())


def converse(client: Any, answer: Answer) -> Any:
    """One thread, one run, its tools answered; as an app does it."""
    runs = client.beta.threads.runs
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Help.")
    thread = client.beta.threads.create()
    run = wait(runs, runs.create(thread_id=thread.id, assistant_id=assistant.id))
    while run.status == "requires_action":
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs = [
            {"tool_call_id": one.id, "output": text} for one, text in zip(calls, answer(calls), strict=True)
        ]
        run = wait(runs, runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=outputs))
    client.beta.threads.messages.list(thread.id)
    return run


@runspan.observe
def wait(runs: Any, run: Any) -> Any:
    """Sees `requires_action` inside a span of its own, which is over when the tool is called."""
    while run.status in ("queued", "in_progress"):
        run = runs.retrieve(run.id, thread_id=run.thread_id)
    return run


def told(of: ReadableSpan) -> tuple[Any, ...]:
    arguments = json.loads(attribute(of, "gen_ai.tool.call.arguments"))
    return of.name, arguments, attribute(of, "gen_ai.tool.call.result"), _is_ours(of)


def _is_ours(of: ReadableSpan) -> bool:
    """Made by the decorator, not by the assembly of the run."""
    return (
        attribute(of, "gen_ai.tool.call.id") is not None
        and attribute(of, "input.mime_type") is not None
        and (attribute(of, "output.mime_type") == "text/plain")
    )


NAME = "execute_tool get_weather"


@pytest.mark.parametrize("answer", [in_order, backwards, in_a_pool, in_tasks])
def test_the_functions_span_is_the_calls_span_under_the_run(traces: Traced, answer: Answer) -> None:
    """Two parallel calls of one tool with different arguments: each under its own call id, once."""
    with serve(TWO, SimulatedClock()) as server, client_of("OpenAI", server) as client, runspan.span("root"):
        run = converse(client, answer)
    assert run.status == "completed"
    tools = sorted(traces.tools(), key=lambda s: str(told(s)))
    assert [told(s) for s in tools] == [
        (NAME, {"city": "Berlin"}, "Berlin: 12 °C", True),
        (NAME, {"city": "Paris"}, "Paris: 12 °C", True),
    ]
    ids = {attribute(s, "gen_ai.tool.call.id") for s in tools}
    assert len(ids) == 2
    run_span = traces.run()
    for one in tools:
        assert one.parent is not None
        assert one.parent.span_id == run_span.context.span_id
        assert run_span.start_time <= one.start_time <= one.end_time <= run_span.end_time  # type: ignore[operator]
        assert attribute(one, "gen_ai.conversation.id") == run.thread_id


@pytest.mark.parametrize("kind", ["OpenAI", "AsyncOpenAI"])
def test_it_works_from_a_stream(traces: Traced, kind: str) -> None:
    with serve(ONE, SimulatedClock()) as server:
        if kind == "OpenAI":
            with client_of(kind, server) as client:
                _streamed(client)
        else:
            asyncio.run(_astreamed(client_of(kind, server)))
    (tool,) = traces.tools()
    assert told(tool) == (NAME, {"city": "Paris"}, "Paris: 12 °C", True)
    assert tool.parent is not None
    assert tool.parent.span_id == traces.run().context.span_id


def _streamed(client: Any) -> None:
    runs = client.beta.threads.runs
    assistant, thread = (
        client.beta.assistants.create(model="gpt-4o", instructions="Help."),
        client.beta.threads.create(),
    )
    with runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        run = stream.get_final_run()
    with runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs(run)
    ) as stream:
        stream.until_done()


async def _astreamed(client: Any) -> None:
    runs = client.beta.threads.runs
    assistant, thread = (
        await client.beta.assistants.create(model="gpt-4o", instructions="Help."),
        await client.beta.threads.create(),
    )
    async with runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        run = await stream.get_final_run()
    async with runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs(run)
    ) as stream:
        await stream.until_done()
    await client.close()


def outputs(run: Any) -> list[Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": one.id, "output": call(one)} for one in calls]


@pytest.mark.parametrize("way", ["raw_create", "helper", "raw_poll"])
def test_it_works_with_raw_responses_and_helpers(traces: Traced, way: str) -> None:
    with serve(ONE, SimulatedClock()) as server, client_of("OpenAI", server) as client:
        runs = client.beta.threads.runs
        ids = {
            "assistant_id": client.beta.assistants.create(model="gpt-4o", instructions="Help.").id,
            "thread_id": client.beta.threads.create().id,
        }
        if way == "helper":
            run = runs.create_and_poll(**ids)
        else:
            run = runs.with_raw_response.create(**ids).parse() if way == "raw_create" else runs.create(**ids)
            while run.status != "requires_action":
                run = runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id).parse()
        runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs(run))
    assert [told(s) for s in traces.tools()] == [(NAME, {"city": "Paris"}, "Paris: 12 °C", True)]


def test_a_second_call_of_the_function_is_an_ordinary_span(traces: Traced) -> None:
    def twice(calls: list[Any]) -> list[str]:
        with runspan.span("retrying"):
            call(calls[0])
            return [call(calls[0])]

    with serve(ONE, SimulatedClock()) as server, client_of("OpenAI", server) as client, runspan.span("root"):
        converse(client, twice)
    assert [attribute(s, "gen_ai.tool.call.id") is not None for s in traces.tools()] == [True, False]
    retrying = next(s for s in traces.spans() if s.name == "retrying")
    assert [s.name for s in traces.children(retrying)] == [NAME]
    assert [s.name for s in traces.children(traces.run())].count(NAME) == 1


def test_after_the_outputs_went_out_the_function_is_an_ordinary_span(traces: Traced) -> None:
    with serve(ONE, SimulatedClock()) as server, client_of("OpenAI", server) as client:
        converse(client, lambda calls: ["12 °C"])
        get_weather("Rome")
    by_id = {attribute(s, "gen_ai.tool.call.id") is not None: s for s in traces.tools()}
    assert attribute(by_id[True], "gen_ai.tool.call.result") == "12 °C"
    assert by_id[False].parent is None


def test_a_tool_that_no_context_saw_stands_alone_and_the_runs_own_span_stands(traces: Traced) -> None:
    """Another user's thread calls the same function with the same arguments meanwhile."""

    def elsewhere(calls: list[Any]) -> list[str]:
        other = threading.Thread(target=lambda: call(calls[0]))
        other.start()
        other.join()
        return ["12 °C"]

    with serve(ONE, SimulatedClock()) as server, client_of("OpenAI", server) as client:
        converse(client, elsewhere)
    by_id = {attribute(s, "gen_ai.tool.call.id") is not None: s for s in traces.tools()}
    assert by_id[False].parent is None
    assert attribute(by_id[True], "gen_ai.tool.call.result") == "12 °C"
    assert by_id[True] in traces.children(traces.run())


def test_other_kinds_and_names_take_no_call(traces: Traced) -> None:
    @runspan.observe
    def get_weather(city: str) -> str:
        return city

    @runspan.observe(kind="tool")
    def get_time(city: str) -> str:
        return city

    with serve(ONE, SimulatedClock()) as server, client_of("OpenAI", server) as client:
        converse(client, lambda calls: [get_weather("Paris"), get_time("Paris")][:1])
    assert sorted(attribute(s, "gen_ai.tool.name") for s in traces.tools()) == ["get_time", "get_weather"]
    (of_run,) = [s for s in traces.children(traces.run()) if s.name.startswith("execute_tool")]
    assert attribute(of_run, "gen_ai.tool.call.result") == "Paris"


def test_a_tool_that_fails_is_an_error_under_its_run(traces: Traced) -> None:
    @runspan.observe(kind="tool", name="get_weather")
    def broken(city: str) -> str:
        raise ValueError(city)

    def answer(calls: list[Any]) -> list[str]:
        with pytest.raises(ValueError, match="Paris"):
            broken(**json.loads(calls[0].function.arguments))
        return ["error"]

    with serve(ONE, SimulatedClock()) as server, client_of("OpenAI", server) as client:
        converse(client, answer)
    (tool,) = traces.tools()
    assert (tool.status.status_code.name, attribute(tool, "error.type")) == ("ERROR", "ValueError")
    assert [s.name for s in traces.children(traces.run())].count(NAME) == 1


def test_an_unrecorded_run_takes_no_tools() -> None:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    with (
        traced(ALWAYS_OFF) as traces,
        serve(ONE, SimulatedClock()) as server,
        client_of("OpenAI", server) as client,
    ):
        converse(client, in_order)
        assert traces.spans() == []


def test_runs_that_wait_together_in_one_context_take_no_function_of_each_other(traces: Traced) -> None:
    """Nothing tells which of them a function answers: each run keeps the span that its assembly makes."""
    with serve(ONE, SimulatedClock()) as server, client_of("OpenAI", server) as client, runspan.span("root"):
        runs = client.beta.threads.runs
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Help.")
        begun = [
            runs.create_and_poll(thread_id=client.beta.threads.create().id, assistant_id=assistant.id)
            for _ in range(3)
        ]
        for run in begun:
            runs.submit_tool_outputs_and_poll(
                run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs(run)
            )
    spans = {s.context.span_id: s for s in traces.spans()}
    parents = sorted(spans[s.parent.span_id].name for s in traces.tools() if s.parent is not None)
    assert parents == ["invoke_agent"] * 3 + ["root"] * 2  # the last one waits alone


@pytest.mark.parametrize("kind", ["threads", "tasks"])
def test_64_concurrent_runs_pending_the_same_tool_keep_their_calls_apart(traces: Traced, kind: str) -> None:
    """With the same name and the same arguments, so only the context tells them apart."""
    users = 64
    waiting = threading.Barrier(users)

    def user(client: Any) -> str:
        def answer(calls: list[Any]) -> list[str]:
            waiting.wait(60)
            return in_order(calls)

        return str(converse(client, answer).id)

    async def auser(client: Any, ready: list[int], gate: asyncio.Event) -> str:
        runs = client.beta.threads.runs
        assistant, thread = (
            await client.beta.assistants.create(model="gpt-4o", instructions="Help."),
            await client.beta.threads.create(),
        )
        run = await runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        ready.append(1)
        if len(ready) == users:
            gate.set()
        await gate.wait()
        run = await runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=outputs(run)
        )
        return str(run.id)

    async def all_at_once(client: Any) -> list[str]:
        ready: list[int] = []
        gate = asyncio.Event()
        found = await asyncio.gather(*(auser(client, ready, gate) for _ in range(users)))
        await client.close()
        return found

    with serve(ONE, SimulatedClock()) as server:
        if kind == "tasks":
            ids = asyncio.run(all_at_once(client_of("AsyncOpenAI", server, timeout=300)))
        else:
            with client_of("OpenAI", server) as client, ThreadPoolExecutor(users) as pool:
                ids = list(pool.map(user, [client] * users))
    runs = {s.context.span_id: attribute(s, "runspan.run.id") for s in traces.runs()}
    assert sorted(runs.values()) == sorted(ids)
    tools = traces.tools()
    assert all(_is_ours(s) for s in tools)
    assert sorted(runs[s.parent.span_id] for s in tools if s.parent) == sorted(ids)  # one each, none beside
    assert len({attribute(s, "gen_ai.tool.call.id") for s in tools}) == users
