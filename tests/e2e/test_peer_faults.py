"""What the nearest peer was seen to do on openai 1.109.1 to 3.52.0, case by case; each test would fail on it.

Numbered as the observations were. The flow of most: run created inside "create", polled outside, messages listed inside "read".
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from quickstart import Quickstart, ask_and_poll, read
from tests.support.playing import (
    ANSWER,
    INSTRUCTIONS,
    MODEL,
    QUESTION,
    App,
    here,
)
from tests.support.told import WHOLE, all_told, roles, told
from tests.support.tracing import attribute
from ways_tools import ASKING, outputs

from runspan.fake import SCENARIOS, ImageFile, Message, Scenario, Text, Usage


def test_01_the_parent_is_the_creators_span_not_the_readers_and_no_system_message_is_null() -> None:
    with Quickstart() as (app, trace), app.client:
        ask_and_poll(app)
        read(app)
        assert told(trace) == WHOLE
        assert roles(trace.generation(), "input") == ["user"]
        assert "null" not in attribute(trace.generation(), "gen_ai.input.messages")
        assert "null" not in attribute(trace.generation(), "gen_ai.system_instructions")


def test_01_without_any_instructions_there_are_none() -> None:
    with Quickstart() as (app, trace), app.client:
        bare = app.client.beta.assistants.create(model=MODEL)
        ask_and_poll(app, assistant_id=bare.id)
        read(app)
        assert attribute(trace.generation(), "gen_ai.system_instructions") is None


def test_02_listing_the_messages_twice_makes_no_second_span_and_no_second_bill() -> None:
    with Quickstart() as (app, trace), app.client:
        ask_and_poll(app)
        for _ in range(3):
            read(app)
            assert told(trace) == WHOLE


def test_03_the_second_turns_output_is_its_own_and_messages_of_one_second_keep_their_order() -> None:
    second = Scenario(phases=(Message("It is 56.", usage=Usage(7, 8)),), poll_after_ms=1)
    with Quickstart() as (app, trace), app.client:
        for text in ("One.", "Two.", "Three."):  # all in one second of the server's clock
            app.client.beta.threads.messages.create(app.thread_id, role="user", content=text)
        ask_and_poll(app)
        read(app)
        app.server.play_next(second)
        ask_and_poll(app)
        read(app)
        one, two = all_told(trace)
        asked = ["One.", "Two.", "Three.", QUESTION]
        assert (one["input"], one["output"], one["usage"]) == (asked, [ANSWER], (1000, 300, 768, 256))
        assert (two["input"], two["output"], two["usage"]) == (
            [*asked, ANSWER, QUESTION],
            ["It is 56."],
            (7, 8, 0, 0),
        )


def test_04_positional_arguments_lose_nothing_and_threads_do_not_overwrite_each_other() -> None:
    with Quickstart() as (app, trace), app.client:
        threads = [app.client.beta.threads.create().id for _ in range(2)]
        runs = app.client.beta.threads.runs
        for i, thread_id in enumerate(threads):
            app.client.beta.threads.messages.create(thread_id, role="user", content=f"question {i}")
        with here("create"):
            started = [runs.create(thread_id, assistant_id=app.assistant_id) for thread_id in threads]
        for run in started:
            runs.poll(run.id, run.thread_id)
            app.client.beta.threads.messages.list(run.thread_id)
        found = all_told(trace)
        assert [t["input"] for t in found] == [["question 0"], ["question 1"]]
        assert [{**t, "input": [QUESTION], "polls": 3} for t in found] == [WHOLE, WHOLE]


def test_05_create_and_poll_then_listing_does_not_crash_the_app() -> None:
    """There it raised `TypeError: Object of type Omit is not JSON serializable` out of `messages.list`."""
    with Quickstart() as (app, trace), app.client:
        app.client.beta.threads.messages.create(app.thread_id, role="user", content=QUESTION)
        with here("create"):
            app.client.beta.threads.runs.create_and_poll(**app.asked)
        assert len(read(app).data) == 2
        assert told(trace) == WHOLE


def test_06_a_run_whose_messages_are_never_listed_has_its_span() -> None:
    with Quickstart() as (app, trace), app.client:
        ask_and_poll(app)
        assert told(trace) == {**WHOLE, "output": []}


def test_07_a_failed_run_is_an_error_with_its_status() -> None:
    with Quickstart("rate_limited") as (app, trace), app.client:
        ask_and_poll(app)
        found = told(trace)
        assert (found["status"], found["error"]) == ("failed", "rate_limit_exceeded")
        assert trace.run().status.description == SCENARIOS["rate_limited"].ending.message


def test_08_an_answer_that_begins_with_an_image_does_not_crash_the_app_and_keeps_all_its_parts() -> None:
    """There it raised `AttributeError: 'NoneType' object has no attribute 'get'` out of `messages.list`."""
    image = Scenario(phases=(Message((ImageFile("file-1"), Text("A cat."))),), poll_after_ms=1)
    with Quickstart(image) as (app, trace), app.client:
        ask_and_poll(app)
        assert read(app).data[0].content[0].image_file.file_id == "file-1"
        assert told(trace)["output"] == ["[file]", "A cat."]
        assert "file-1" in attribute(trace.generation(), "gen_ai.output.messages")


def test_09_a_tool_call_is_visible_with_its_arguments_and_its_result() -> None:
    with Quickstart(ASKING) as (app, trace), app.client:
        run = ask_and_poll(app)
        app.client.beta.threads.runs.submit_tool_outputs_and_poll(**outputs(run))
        read(app)
        assert told(trace) == {**WHOLE, "polls": 4, "tools": [("get_weather", "12 °C")]}
        (tool,) = trace.tools()
        assert json.loads(attribute(tool, "gen_ai.tool.call.arguments")) == {"city": "Paris"}


def test_10_a_stream_with_an_event_handler_is_traced() -> None:
    with Quickstart() as (app, trace), app.client:
        app.client.beta.threads.messages.create(app.thread_id, role="user", content=QUESTION)
        handler = app.handler()
        with (
            here("create"),
            app.client.beta.threads.runs.stream(**app.asked, event_handler=handler) as stream,
        ):
            stream.until_done()
        assert told(trace) == {**WHOLE, "polls": 0}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_11_the_apps_handler_stays_its_own_and_knows_its_run_and_event() -> None:
    known: list[tuple[bool, bool]] = []

    class Handler(openai.AssistantEventHandler):
        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            known.append((self.current_run is not None, self.current_event is not None))

    with Quickstart() as (app, _), app.client:
        handler = Handler()
        with app.client.beta.threads.runs.create_and_stream(**app.asked, event_handler=handler) as stream:
            assert stream is handler
            stream.until_done()
        assert set(known) == {(True, True)}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_12_create_and_stream_without_a_handler_does_not_crash_the_app() -> None:
    """There it raised `KeyError: 'event_handler'`."""
    with Quickstart() as (app, trace), app.client:
        with app.client.beta.threads.runs.create_and_stream(**app.asked) as stream:
            assert "".join(stream.text_deltas) == ANSWER
        assert told(trace) == {**WHOLE, "polls": 0, "parent": None, "input": []}


def test_13_create_with_stream_true_does_not_crash_the_app_nor_make_a_bogus_span_later() -> None:
    """There it raised `AttributeError: 'Stream' object has no attribute 'get'`; a listing then made an ERROR span."""
    with Quickstart() as (app, trace), app.client:
        app.client.beta.threads.messages.create(app.thread_id, role="user", content=QUESTION)
        with here("create"):
            stream = app.client.beta.threads.runs.create(**app.asked, stream=True)
        assert type(stream) is openai.Stream
        assert [e.event for e in stream][-1] == "thread.run.completed"
        read(app)
        assert told(trace) == {**WHOLE, "polls": 0}


def test_14_create_and_run_poll_is_traced() -> None:
    with Quickstart() as (app, trace), app.client:
        thread: Any = {"messages": [{"role": "user", "content": QUESTION}]}
        with here("create"):
            run = app.client.beta.threads.create_and_run_poll(assistant_id=app.assistant_id, thread=thread)
        app.client.beta.threads.messages.list(run.thread_id)
        assert told(trace) == WHOLE


def test_15_async_openai_is_traced() -> None:
    async def flow(app: App) -> None:
        async with app.client:
            await app.ask()
            with here("create"):
                await app.runs.create_and_poll(**app.asked)
            await app.threads.messages.list(app.thread_id)

    with Quickstart(kind="AsyncOpenAI") as (app, trace):
        asyncio.run(flow(app))
        assert told(trace) == WHOLE


def test_16_a_run_that_fails_in_its_stream_is_an_error_and_its_usage_is_the_runs() -> None:
    with Quickstart("failed") as (app, trace), app.client:
        with app.client.beta.threads.runs.stream(**app.asked) as stream:
            run = list(stream)[-1].data
        found = told(trace)
        assert (found["status"], found["error"]) == ("failed", "server_error")
        assert found["usage"] == (run.usage.prompt_tokens, run.usage.completion_tokens, 0, 0)


def test_17_a_stream_that_is_left_early_waits_for_no_garbage_collector_and_bills_nothing() -> None:
    with Quickstart() as (app, trace), app.client:
        with app.client.beta.threads.runs.stream(**app.asked) as kept:
            next(kept)
        trace.handle.uninstrument()
        found = told(trace)
        assert (found["unfinished"], found["usage"]) == ("stream_closed", None)
        assert kept is not None


def test_18_with_content_off_no_prompt_and_no_answer_is_exported() -> None:
    with Quickstart(capture_content=False) as (app, trace), app.client:
        ask_and_poll(app)
        read(app)
        exported = "\n".join(span.to_json() for span in trace.spans())
        assert [t for t in (QUESTION, ANSWER, INSTRUCTIONS) if t in exported] == []
        assert told(trace) == {**WHOLE, "instructions": [], "input": [], "output": []}
