"""Refused requests, injected faults, streams that die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest

from runspan.fake import Drop, HttpError, Scenario, Server, SimulatedClock, serve
from tests.fake.wire import FUNCTION, USER, call, events

pytestmark = pytest.mark.filterwarnings("ignore:deprecated$:DeprecationWarning")


def made(server: Server, **assistant: Any) -> tuple[str, str]:
    """Ids of an assistant and of a thread with a question."""
    body = {"model": "gpt-4o", "tools": [FUNCTION], **assistant}
    assistant_id = call(server.base_url, "POST", "/assistants", body)[2]["id"]
    return assistant_id, call(server.base_url, "POST", "/threads", {"messages": [USER]})[2]["id"]


def said(answer: tuple[int, Any, Any]) -> tuple[int, str]:
    return answer[0], answer[2]["error"]["message"]


UNKNOWN = {
    "/threads/thread_x": "No thread found with id 'thread_x'.",
    "/assistants/asst_x": "No assistant found with id 'asst_x'.",
    "/threads/{thread}/messages/msg_x": "No message found with id 'msg_x'.",
    "/threads/{thread}/runs/run_x": "No run found with id 'run_x'.",
    "/threads/{thread}/runs/{run}/steps/step_123": "No run step found with id 'step_123'.",  # recorded
    "/files/file-x": "No such File object: file-x",
    "/vector_stores/vs_x": "No vector store found with id 'vs_x'.",
    "/nothing": "Invalid URL (GET /nothing)",
}


@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_ids_are_404(fake: Callable[..., Server], path: str) -> None:
    server = fake()
    assistant_id, thread_id = made(server)
    run = call(server.base_url, "POST", f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})[2]
    asked = path.format(thread=thread_id, run=run["id"])
    assert said(call(server.base_url, "GET", asked)) == (404, UNKNOWN[path])


def test_a_thread_with_a_live_run_takes_no_message_and_no_other_run(fake: Callable[..., Server]) -> None:
    server = fake(clock=SimulatedClock(poll_step_s=None))
    assistant_id, thread_id = made(server)
    runs = f"/threads/{thread_id}/runs"
    run_id = call(server.base_url, "POST", runs, {"assistant_id": assistant_id})[2]["id"]
    assert said(call(server.base_url, "POST", runs, {"assistant_id": assistant_id})) == (
        400,
        f"Thread {thread_id} already has an active run {run_id}.",
    )
    assert said(call(server.base_url, "POST", f"/threads/{thread_id}/messages", USER)) == (
        400,
        f"Can't add messages to {thread_id} while a run {run_id} is active.",
    )


def test_requests_at_the_wrong_time_are_refused_as_recorded(fake: Callable[..., Server]) -> None:
    server = fake()
    assistant_id, thread_id = made(server)
    runs = f"/threads/{thread_id}/runs"
    one = f"{runs}/{call(server.base_url, 'POST', runs, {'assistant_id': assistant_id})[2]['id']}"
    outputs: dict[str, list[Any]] = {"tool_outputs": []}
    assert said(call(server.base_url, "POST", f"{one}/submit_tool_outputs", outputs)) == (
        400,
        'Runs in status "queued" do not accept tool outputs.',
    )
    assert call(server.base_url, "GET", one)[2]["status"] == "completed"
    assert said(call(server.base_url, "POST", f"{one}/cancel")) == (
        400,
        "Cannot cancel run with status 'completed'.",
    )


INVALID = [
    ("/assistants", {}, "Missing required parameter: 'model'."),
    ("/threads/runs", {}, "Missing required parameter: 'assistant_id'."),
    ("/threads", {"messages": [{"role": "user"}]}, "Missing required parameter: 'content'."),
    ("/threads", {"messages": [{"role": "judge", "content": "x"}]}, "Invalid value: 'judge'."),
    ("/threads", b"{", "We could not parse the JSON body of your request."),
]


@pytest.mark.parametrize(("path", "body", "message"), INVALID)
def test_invalid_requests_are_400(fake: Callable[..., Server], path: str, body: Any, message: str) -> None:
    assert said(call(fake().base_url, "POST", path, body)) == (400, message)


def test_a_run_needs_a_message_or_instructions(fake: Callable[..., Server]) -> None:
    server = fake()
    assistant_id = made(server)[0]
    status, _, answer = call(server.base_url, "POST", "/threads/runs", {"assistant_id": assistant_id})
    assert (status, answer["error"]["code"]) == (400, "invalid_thread")


FAULTS = {
    "bad_request": openai.BadRequestError,
    "unauthorized": openai.AuthenticationError,
    "not_found": openai.NotFoundError,
    "rate_limited": openai.RateLimitError,
    "server_error": openai.InternalServerError,
    "unavailable": openai.InternalServerError,
    "dropped": openai.APIConnectionError,
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_injected_fault_hits_the_chosen_request_only(
    fake: Callable[..., Server], client: Callable[[Server], Any], name: str
) -> None:
    server = fake()
    assistant_id, thread_id = made(server)
    server.inject(name, method="GET", path="/threads/*", skip=1)
    threads = client(server).beta.threads
    assert threads.retrieve(thread_id).id == thread_id
    with pytest.raises(FAULTS[name]):
        threads.retrieve(thread_id)
    assert threads.retrieve(thread_id).id == thread_id
    assert client(server).beta.assistants.retrieve(assistant_id).id == assistant_id


@pytest.mark.parametrize("name", FAULTS)
def test_a_scenario_can_refuse_the_runs_creation(
    fake: Callable[..., Server], client: Callable[[Server], Any], name: str
) -> None:
    server = fake()
    assistant_id, thread_id = made(server)
    server.play_next(f"http_{name}", "text")
    runs = client(server).beta.threads.runs
    with pytest.raises(FAULTS[name]):
        runs.create(thread_id=thread_id, assistant_id=assistant_id)
    assert runs.create(thread_id=thread_id, assistant_id=assistant_id).status == "queued"


def test_retry_after_stands_in_the_headers(fake: Callable[..., Server]) -> None:
    server = fake()
    server.inject(HttpError(429, "Slow down.", retry_after_s=7))
    status, headers, _ = call(server.base_url, "GET", "/assistants")
    assert (status, headers["retry-after"]) == (429, "7")


def test_a_slow_answer_is_carried_out_although_the_client_gave_up(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    server = fake()
    server.inject("slow", path="/threads")
    with pytest.raises(openai.APITimeoutError):
        client(server).with_options(timeout=0.05).beta.threads.create()
    assert len(server.state.threads) == 1


def test_a_dropped_request_is_logged_without_a_status(fake: Callable[..., Server]) -> None:
    server = fake()
    server.inject(Drop())
    with pytest.raises(ConnectionError):
        call(server.base_url, "GET", "/assistants")
    assert [one.status for one in server.requests] == [None]


@pytest.mark.parametrize(
    ("name", "last"),
    [("stream_cut", ["thread.message.delta"]), ("stream_error", ["thread.message.delta", "error"])],
)
def test_a_stream_can_die_in_the_middle(
    fake: Callable[..., Server], client: Callable[[Server], Any], name: str, last: list[str]
) -> None:
    server = fake(name)
    assistant_id, thread_id = made(server)
    body = {"assistant_id": assistant_id, "stream": True}
    seen = events(call(server.base_url, "POST", f"/threads/{thread_id}/runs", body)[2])
    assert [event for event, _ in seen][11:] == last
    runs = client(server).beta.threads.runs
    with pytest.raises(Exception, match=r"peer closed|server had an error|Connection"):
        list(runs.create(thread_id=made(server)[1], assistant_id=assistant_id, stream=True))


def test_a_client_that_leaves_its_stream_does_not_stop_the_run(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    clock = SimulatedClock(poll_step_s=None)
    server = fake(Scenario(queue_s=5.0), clock=clock)
    assistant_id, thread_id = made(server)
    runs = client(server).beta.threads.runs
    with runs.create(thread_id=thread_id, assistant_id=assistant_id, stream=True) as stream:
        first = next(iter(stream))
    clock.advance(60)
    assert runs.retrieve(first.data.id, thread_id=thread_id).status == "completed"


def test_stopping_the_server_ends_open_streams() -> None:
    with openai.OpenAI(base_url="http://none", api_key="x", max_retries=0) as client:
        with serve(Scenario(queue_s=500.0)) as server:
            client.base_url = server.base_url
            assistant_id, thread_id = made(server)
            runs = client.beta.threads.runs
            stream = runs.create(thread_id=thread_id, assistant_id=assistant_id, stream=True)
            assert next(iter(stream)).event == "thread.run.created"
        with pytest.raises(Exception, match=r"peer closed|reset|Connection"):
            list(stream)
        stream.close()
