"""What is refused, what is gone, what fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest

from runspan.fake import Server, SimulatedClock
from runspan.fake.responses import SCENARIOS, FunctionCall, Message, Scenario
from tests.fake.responses.wire import LOOKUP, data_of, get, polled, post
from tests.fake.test_errors import FAULTS, said
from tests.fake.wire import call

OUTPUT = {"type": "function_call_output", "call_id": "call_x", "output": "cake"}


def refusal(server: Server, method: str, path: str, body: Any = None) -> tuple[int, str]:
    return said(call(server.base_url, method, path, body))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"input": "Hi"}, "Missing required parameter: 'model'."),
    ({"model": "m", "input": 3}, "Invalid type for 'input': expected a string or an array."),
    ({"model": "m", "input": [{"role": "judge", "content": "Hi"}]}, "Invalid value: 'judge'."),
    ({"model": "m", "input": [OUTPUT]}, "No tool call found for function call output with call_id call_x."),
    ({"model": "m", "previous_response_id": "resp_x"}, "Previous response with id 'resp_x' not found."),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_invalid_requests_are_400(fake: Callable[..., Server], body: Any, message: str) -> None:
    assert refusal(fake(), "POST", "/responses", body) == (400, message)


def test_a_call_must_be_answered_before_the_chain_goes_on(fake: Callable[..., Server]) -> None:
    server = fake(responses="function")
    made = polled(server, post(server, background=True)["id"])
    body = {"model": "m", "input": "And?", "previous_response_id": made["id"], "tools": [LOOKUP]}
    call_id = made["output"][0]["call_id"]
    assert refusal(server, "POST", "/responses", body) == (
        400,
        f"No tool output found for function call {call_id}.",
    )


def test_unknown_and_deleted_ids_are_404_as_recorded(fake: Callable[..., Server]) -> None:
    server = fake(responses="text")
    made = post(server)["id"]
    deleted = call(server.base_url, "DELETE", f"/responses/{made}")[2]
    assert deleted == {"id": made, "object": "response.deleted", "deleted": True}
    for id_ in (made, "resp_x"):
        assert refusal(server, "GET", f"/responses/{id_}") == (404, f"Response with id '{id_}' not found.")
    assert refusal(server, "GET", "/conversations/conv_x")[0] == 404


@pytest.mark.parametrize("asked", [{"store": False}, {}], ids=["by_the_request", "by_the_organization"])
def test_what_is_not_stored_is_gone_after_ten_minutes(fake: Callable[..., Server], asked: Any) -> None:
    clock = SimulatedClock(poll_step_s=None)
    scenario = SCENARIOS["text"].but(stores=bool(asked), queue_s=1000.0)
    server = fake(clock=clock, responses=scenario)
    made = post(server, background=True, **asked)
    assert made["store"] is False
    seen = []
    for seconds in (999.0, 100.0, 450.0, 100.0):
        clock.advance(seconds)
        seen.append(get(server, made["id"]).get("status", 404))
    assert seen == ["queued", "completed", "completed", 404]


def test_a_plain_response_that_is_not_stored_is_never_found(fake: Callable[..., Server]) -> None:
    server = fake(responses="text")
    assert refusal(server, "GET", f"/responses/{post(server, store=False)['id']}")[0] == 404


def test_what_is_over_or_plain_is_not_cancelled(fake: Callable[..., Server]) -> None:
    server = fake(responses="text")
    plain, done = post(server)["id"], post(server, background=True)["id"]
    polled(server, done)
    failed = post(server, background=True)["id"] if server.responses.play_next("failed") is None else ""
    polled(server, failed)
    for id_, message in (
        (plain, "Cannot cancel a synchronous response."),
        (done, "Cannot cancel a completed response."),
        (failed, "Cannot cancel a failed response."),
    ):
        assert refusal(server, "POST", f"/responses/{id_}/cancel") == (400, message)


def test_nothing_of_a_cancelled_response_is_kept(fake: Callable[..., Server]) -> None:
    clock = SimulatedClock(poll_step_s=None)
    asking = Scenario(items=(FunctionCall("lookup", "{}"), Message(seconds=30.0)))
    server = fake(clock=clock, responses=asking)
    id_ = post(server, background=True)["id"]
    clock.advance(5)
    call(server.base_url, "POST", f"/responses/{id_}/cancel")
    after = post(server, background=True, previous_response_id=id_)  # its call needs no answer
    listed = get(server, after["id"], "/input_items")["data"]
    assert [item["type"] for item in listed] == ["message", "message"]


def test_a_live_response_is_not_deleted(fake: Callable[..., Server]) -> None:
    server = fake(responses="slow")
    path = f"/responses/{post(server, background=True)['id']}"
    assert refusal(server, "DELETE", path) == (400, "Cannot delete an in-flight response.")


@pytest.mark.parametrize("made", [{"background": True}, {"stream": True}], ids=["polled", "plain"])
def test_only_background_streams_are_taken_up_again(fake: Callable[..., Server], made: Any) -> None:
    server = fake(responses="text")
    answer = post(server, **made)
    id_ = data_of(answer)[0]["response"]["id"] if "stream" in made else answer["id"]
    lacking = "stream" if "background" in made else "background"
    message = f"This response cannot be streamed because it was not created with {lacking}=true."
    assert refusal(server, "GET", f"/responses/{id_}?stream=true") == (400, message)


ENDS = {
    "failed": ("failed", "server_error", None),
    "rate_limited": ("failed", "rate_limit_exceeded", None),
    "invalid_prompt": ("failed", "invalid_prompt", None),
    "incomplete": ("incomplete", None, "max_output_tokens"),
    "incomplete_messages": ("incomplete", None, "max_messages"),
    "content_filter": ("incomplete", None, "content_filter"),
}


@pytest.mark.parametrize("name", ENDS)
def test_polled_and_streamed_it_ends_alike(fake: Callable[..., Server], name: str) -> None:
    server = fake(responses=name)
    read = polled(server, post(server, background=True)["id"])
    streamed = data_of(post(server, background=True, stream=True))[-1]
    for body in (read, streamed["response"]):
        details = body["incomplete_details"] or {}
        assert (body["status"], (body["error"] or {}).get("code"), details.get("reason")) == ENDS[name]
    assert streamed["type"] == f"response.{read['status']}"
    assert [item["status"] for item in read["output"]] == (["incomplete"] if read["output"] else [])


def test_the_failure_behind_an_error_event_is_never_seen_by_the_apps_loop(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    server = fake(responses="error_event")
    stream = client(server).responses.create(model="m", input="Hi", stream=True, background=True)
    seen: list[Any] = []
    with pytest.raises(openai.APIError, match="exceeded your current quota"):
        seen.extend(stream)
    assert [one.type for one in seen] == ["response.created", "response.queued", "response.in_progress"]
    assert polled(server, seen[0].response.id)["status"] == "failed"


def test_a_cancelled_stream_ends_in_an_event_whose_data_say_so(fake: Callable[..., Server]) -> None:
    clock = SimulatedClock(poll_step_s=None)
    server = fake(clock=clock, responses=SCENARIOS["slow"].but(cuts=(2,)))
    events = data_of(post(server, background=True, stream=True))
    id_ = events[0]["response"]["id"]
    call(server.base_url, "POST", f"/responses/{id_}/cancel")
    (last,) = data_of(get(server, id_, "?stream=true&starting_after=1"))
    assert (last["type"], last["response"]["status"]) == ("response.failed", "cancelled")


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("stream", [False, True], ids=["polled", "streamed"])
def test_a_scenario_can_refuse_the_create(
    fake: Callable[..., Server], client: Callable[[Server], Any], name: str, stream: bool
) -> None:
    server = fake()
    server.responses.play_next(f"http_{name}", "text")
    responses = client(server).responses
    with pytest.raises(FAULTS[name]):
        responses.create(model="m", input="Hi", background=True, stream=stream)
    assert responses.create(model="m", input="Hi", background=True).status == "queued"


def test_an_unknown_model_is_refused_as_recorded(fake: Callable[..., Server]) -> None:
    status, _, answer = call(
        fake(responses="model_not_found").base_url, "POST", "/responses", {"model": "none"}
    )
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (400, "model_not_found", "model")


def test_a_client_that_leaves_its_stream_does_not_stop_a_background_response(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    clock = SimulatedClock(poll_step_s=None)
    server = fake(clock=clock, responses=SCENARIOS["text"].but(queue_s=5.0))
    responses = client(server).responses
    with responses.create(model="m", input="Hi", background=True, stream=True) as stream:
        first = next(iter(stream))
    clock.advance(60)
    assert responses.retrieve(first.response.id).status == "completed"
