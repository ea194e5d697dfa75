"""The fixtures that users get: `assistants_server` and `run_traces`, used as they use them."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import runspan
from runspan.fake import Message, Scenario, Server, Usage
from runspan.testing import RunTraces, ToolCall, capture_runs
from runspan.testing import Usage as SeenUsage
from tests.support import receiver

QUESTION = "What is 6 times 7?"
ANSWERED = Scenario(
    phases=(Message("It is 42.", usage=Usage(1000, 300, cached_tokens=768, reasoning_tokens=256)),)
)


def ask(client: OpenAI | None = None, question: str = QUESTION, **more: Any) -> Any:
    """A run that is polled to its end and whose messages are read."""
    with client or OpenAI() as client:
        assistant = client.beta.assistants.create(
            model="gpt-4o", name="Tutor", instructions="Be brief.", **more
        )
        thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
        run = client.beta.threads.runs.create_and_poll(
            thread_id=thread.id, assistant_id=assistant.id, metadata={"plan": "free"}
        )
        client.beta.threads.messages.list(thread.id)
        return run


def test_a_client_made_in_the_test_finds_the_server_by_itself(assistants_server: Server) -> None:
    assert str(OpenAI().base_url).rstrip("/") == assistants_server.base_url
    assert os.environ["AZURE_OPENAI_ENDPOINT"] == assistants_server.azure_endpoint


def test_a_run_is_told_whole(assistants_server: Server, run_traces: RunTraces) -> None:
    assistants_server.play_next(ANSWERED)
    run = ask()
    seen = run_traces.only
    assert (seen.name, seen.id, seen.thread_id) == ("invoke_agent Tutor", run.id, run.thread_id)
    assert (seen.status, seen.unfinished, seen.error, seen.finish_reason) == ("completed", None, None, "stop")
    assert (seen.model, seen.agent, seen.instructions) == ("gpt-4o", "Tutor", "Be brief.")
    assert seen.usage == SeenUsage(1000, 300, 768, 256)
    assert [(m.role, m.text) for m in seen.input] == [("user", QUESTION)]
    assert seen.answer == "It is 42."
    assert (seen.metadata, seen.tools, seen.parent, seen.polls) == ({"plan": "free"}, (), None, 1)
    assert seen.statuses[-1] == "completed"
    assert seen.start_s <= seen.end_s
    assert seen.duration_s == seen.end_s - seen.start_s
    assert len(seen.trace_id) == 32


def test_tools_come_with_decoded_arguments_and_results(
    assistants_server: Server, run_traces: RunTraces
) -> None:
    assistants_server.play_next("code_interpreter")
    with OpenAI() as client:
        assistant = client.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "3x + 11 = 14"}])
        with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            stream.until_done()
    seen = run_traces.only
    (tool,) = seen.tools
    assert isinstance(tool, ToolCall)
    assert tool.name == "code_interpreter"
    assert "print" in str(tool.arguments)
    assert seen.start_s <= tool.start_s <= tool.end_s <= seen.end_s
    assert seen.first_token_s is not None


def test_a_failed_request_is_a_run_with_an_error_and_without_an_id(
    assistants_server: Server, run_traces: RunTraces
) -> None:
    assistants_server.inject("bad_request", method="POST", path="/threads/*/runs")
    with pytest.raises(Exception, match="refuse"):
        ask()
    seen = run_traces.only
    assert (seen.id, seen.status, seen.usage) == (None, None, None)
    assert seen.error == "invalid_request_error"


def test_the_parent_is_named_though_it_belongs_to_the_apps_own_provider(
    assistants_server: Server, run_traces: RunTraces
) -> None:
    with TracerProvider().get_tracer("app").start_as_current_span("my_chain"):
        ask()
    assert run_traces.only.parent == "my_chain"
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)


async def _asked() -> None:
    async with AsyncOpenAI() as client:
        assistant = await client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id)
        await client.beta.threads.messages.list(run.thread_id)


def test_async_clients_are_traced_too(assistants_server: Server, run_traces: RunTraces) -> None:
    asyncio.run(_asked())
    assert run_traces.only.status == "completed"


def _slow(kind: str, text: str) -> str:
    """Longer in all than a flush may hold up an event loop."""
    time.sleep(0.1)
    return text


@pytest.mark.runspan(redact=_slow)
def test_a_look_inside_a_coroutine_waits_for_the_run(
    assistants_server: Server, run_traces: RunTraces
) -> None:
    async def main() -> None:
        await _asked()
        assert run_traces.only.status == "completed"

    asyncio.run(main())


def test_the_end_waits_inside_a_coroutine(assistants_server: Server) -> None:
    async def main() -> None:
        with capture_runs(redact=_slow) as ended:
            await _asked()
            assert ended.end()[0].status == "completed"
        with capture_runs(redact=_slow) as left:
            await _asked()
        assert left.only.status == "completed"

    asyncio.run(main())


def test_nothing_is_asked_of_the_server_that_the_app_did_not_ask(
    assistants_server: Server, run_traces: RunTraces
) -> None:
    with OpenAI() as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        client.beta.threads.create_and_run_poll(assistant_id=assistant.id)
    assert run_traces.only.output == ()
    assert not [r for r in assistants_server.requests if r.headers.get("x-runspan")]


@pytest.mark.runspan(fetch="auto")
def test_with_fetch_on_the_answer_comes_from_the_background(
    assistants_server: Server, run_traces: RunTraces
) -> None:
    with OpenAI() as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
        client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        assert run_traces.only.answer == "you said: Hello"


@pytest.mark.runspan(capture_content=False)
def test_the_marker_passes_options(assistants_server: Server, run_traces: RunTraces) -> None:
    ask()
    assert run_traces.only.input == run_traces.only.output == ()


def test_only_says_how_many_there_were(assistants_server: Server, run_traces: RunTraces) -> None:
    assistants_server.scenario = "slow"
    with OpenAI() as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        client.beta.threads.create_and_run(assistant_id=assistant.id)
    with pytest.raises(AssertionError, match="expected one run, 0 have ended, 1 not over yet"):
        _ = run_traces.only
    assert [run.unfinished for run in run_traces.end()] == ["shutdown"]


def test_runs_are_a_sequence_in_the_order_of_their_starts(
    assistants_server: Server, run_traces: RunTraces
) -> None:
    first, second = ask(), ask()
    assert [run.id for run in run_traces] == [first.id, second.id]
    assert len(run_traces) == 2
    assert run_traces[-1].id == second.id
    assert [run.id for run in run_traces[:1]] == [first.id]


def test_values_are_frozen(assistants_server: Server, run_traces: RunTraces) -> None:
    ask()
    with pytest.raises(dataclasses.FrozenInstanceError):
        run_traces.only.status = "failed"  # type: ignore[misc]


def test_afterwards_the_client_is_what_it_was() -> None:
    from openai._base_client import SyncAPIClient

    before = vars(SyncAPIClient)["request"]
    with capture_runs():
        assert vars(SyncAPIClient)["request"] is not before
    assert vars(SyncAPIClient)["request"] is before


def test_an_app_that_was_instrumented_is_so_again_with_the_same_options(assistants_server: Server) -> None:
    with receiver.serve() as received:
        runspan.instrument(endpoint=received.endpoint, fetch="never", settle_s=7.0)
        try:
            with capture_runs() as traces:
                runspan.instrument()  # by the app itself, somewhere: twice is once
                ask()
                assert traces.only.status == "completed"
            handle = runspan.current_handle()
            assert handle is not None
            assert handle.config.limits.settle_s == 7.0
            assert received.spans == ()
            ask()
            assert runspan.flush()
            assert [s.name for s in received.spans if s.name.startswith("invoke")] == ["invoke_agent Tutor"]
        finally:
            runspan.uninstrument()


def test_variables_of_whoever_runs_the_tests_do_not_count(
    assistants_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RUNSPAN_CAPTURE_CONTENT", "false"), ("OTEL_SDK_DISABLED", "true")):
        monkeypatch.setenv(name, value)
    with capture_runs() as traces:
        ask()
        assert traces.only.answer == f"you said: {QUESTION}"
    assert os.environ["OTEL_SDK_DISABLED"] == "true"
