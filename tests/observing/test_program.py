"""The math tutor: each step an observed function, from an observed root, or one after the other under one session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import runspan
from runspan.fake import SimulatedClock, serve
from tests.support.playing import client_of
from tests.support.receiver import serve as receive
from tests.support.tracing import attribute, traced

SESSION = "lesson-1"


@pytest.fixture
def client() -> Iterator[Any]:
    with serve("text", SimulatedClock()) as server, client_of("OpenAI", server) as found:
        yield found


@runspan.observe
def create_assistant(client: Any) -> str:
    assistant = client.beta.assistants.create(model="gpt-4o", name="Math Tutor", instructions="Be brief.")
    return str(assistant.id)


@runspan.observe
def run_assistant(client: Any, assistant_id: str) -> Any:
    thread = client.beta.threads.create()
    for question in ("I need help.", "Solve 3x + 11 = 14."):
        client.beta.threads.messages.create(thread.id, role="user", content=question)
    return client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant_id)


@runspan.observe
def wait(client: Any, run: Any) -> Any:
    while run.status in ("queued", "in_progress"):
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    return run


@runspan.observe
def get_response(client: Any, thread_id: str) -> str:
    page = client.beta.threads.messages.list(thread_id)
    return str(page.data[0].content[0].text.value)


@runspan.observe(kind="agent")
def run_math_tutor(client: Any) -> str:
    return steps(client)


def steps(client: Any) -> str:
    run = wait(client, run_assistant(client, create_assistant(client)))
    return get_response(client, run.thread_id)


WHOLE = {
    ("invoke_agent run_math_tutor", None),
    ("create_assistant", "invoke_agent run_math_tutor"),
    ("create_agent Math Tutor", "create_assistant"),
    ("run_assistant", "invoke_agent run_math_tutor"),
    ("create_thread", "run_assistant"),
    ("create_message", "run_assistant"),
    ("invoke_agent Math Tutor", "run_assistant"),
    ("chat gpt-4o", "invoke_agent Math Tutor"),
    ("wait", "invoke_agent run_math_tutor"),
    ("get_response", "invoke_agent run_math_tutor"),
}


def test_under_one_root_it_is_one_trace_with_the_run_under_its_creator(client: Any) -> None:
    with traced() as traces:
        assert run_math_tutor(client)
        found = traces.spans()
    names = {s.context.span_id: s.name for s in found}
    assert {(s.name, names[s.parent.span_id] if s.parent else None) for s in found} == WHOLE
    assert len({s.context.trace_id for s in found}) == 1


def test_the_same_arrives_through_otlp(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with receive(port=0) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        runspan.instrument(fetch="never", settle_s=60.0)
        try:
            assert run_math_tutor(client)
            assert runspan.flush(timeout=10)
        finally:
            runspan.uninstrument()
        found = receiver.wait_for_spans(len(WHOLE) + 1)  # two messages
    names = {s.span_id: s.name for s in found}
    assert {(s.name, names[s.parent_id] if s.parent_id else None) for s in found} == WHOLE


def test_without_a_root_the_steps_are_traces_of_their_own_tied_by_the_session(client: Any) -> None:
    with traced() as traces:
        with runspan.context(session_id=SESSION):
            assert steps(client)
        found = traces.spans()
    roots = sorted(s.name for s in found if s.parent is None)
    assert roots == ["create_assistant", "get_response", "run_assistant", "wait"]
    assert {attribute(s, "session.id") for s in found} == {SESSION}
    assert len({s.context.trace_id for s in found}) == 4


def test_three_steps_without_a_root_are_three_traces_tied_by_the_session(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Assistants notebook of Langfuse calls them, through real OTLP."""

    @runspan.observe
    def respond(run: Any) -> str:
        return get_response(client, wait(client, run).thread_id)

    with receive(port=0) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        runspan.instrument(fetch="never", settle_s=60.0)
        try:
            with runspan.context(session_id=SESSION):
                assert respond(run_assistant(client, create_assistant(client)))
            assert runspan.flush(timeout=10)
        finally:
            runspan.uninstrument()
        found = receiver.wait_for_spans(len(WHOLE) + 1)
    roots = sorted(s.name.rpartition(".")[2] for s in found if not s.parent_id)
    assert roots == ["create_assistant", "respond", "run_assistant"]
    assert len({s.trace_id for s in found}) == 3
    assert {s.attributes["session.id"] for s in found} == {SESSION}
    (run,) = [s for s in found if s.name == "invoke_agent Math Tutor"]
    assert {s.name for s in found if s.span_id == run.parent_id} == {"run_assistant"}
