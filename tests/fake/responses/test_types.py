"""Every answer and every event of the fake, held against the types of the installed client."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pydantic
import pytest

from runspan.fake import Server
from runspan.fake.responses import SCENARIOS
from tests.fake.responses.wire import EVERYTHING, data_of, get, polled, post
from tests.fake.wire import call

responses = pytest.importorskip("openai.types.responses", reason="this openai has no Responses API")
conversations = pytest.importorskip("openai.types.conversations", reason="this openai has no conversations")
pytestmark = pytest.mark.skipif(
    not hasattr(responses, "ResponseShellCallCommandAddedEvent"),
    reason="this openai is older than the fake's wire",
)

RUNNABLE = [name for name, one in SCENARIOS.items() if not one.fault]
UNKNOWN = {"unknown_item"}  # a type that no client knows
NESTED = "error_event"  # its event nests the details (recorded), the types say otherwise
UNNUMBERED = "unnumbered"  # two recorded streams had no numbers


@cache
def adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    """One of the events' types takes 100 ms to make."""
    return pydantic.TypeAdapter(kind)


def check(kind: Any, value: Any) -> None:
    """Raises where `value` is no instance of this type of the client; no coercion of one type to another."""
    adapter(kind).validate_python(value, strict=False)


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name not in {*UNKNOWN, UNNUMBERED}])
@pytest.mark.parametrize("background", [True, False], ids=["background", "plain"])
def test_events_of_each_scenario_are_of_the_clients_types(
    fake: Callable[..., Server], name: str, background: bool
) -> None:
    server = fake(responses=SCENARIOS[name].but(cuts=()))
    events = data_of(post(server, stream=True, background=background, include=EVERYTHING))
    for event in events:
        if name == NESTED and event["type"] == "error":
            continue
        check(responses.ResponseStreamEvent, event)
    assert events[-1]["type"] in ("response.completed", "response.failed", "response.incomplete")


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name not in UNKNOWN])
def test_objects_of_each_scenario_are_of_the_clients_types(fake: Callable[..., Server], name: str) -> None:
    server = fake(responses=name)
    made = post(server, background=True, include=EVERYTHING)
    check(responses.Response, made)
    assert made["status"] == "queued"
    check(responses.Response, polled(server, made["id"]))
    for item in get(server, made["id"], "/input_items")["data"]:
        check(responses.ResponseItem, item)


def test_a_type_that_the_client_does_not_know_is_refused_by_this_check(fake: Callable[..., Server]) -> None:
    events = data_of(post(fake(responses="unknown_item"), stream=True))
    added = next(event for event in events if event["type"] == "response.output_item.added")
    with pytest.raises(pydantic.ValidationError):
        check(responses.ResponseStreamEvent, added)


def test_the_other_endpoints_answer_in_the_clients_types(fake: Callable[..., Server]) -> None:
    server = fake(responses="text")

    def made(method: str, path: str, body: Any = None) -> Any:
        status, _, answer = call(server.base_url, method, path, body)
        assert status == 200, answer
        return answer

    conversation = made(
        "POST", "/conversations", {"items": [{"role": "user", "content": "Hi"}], "metadata": {"a": "b"}}
    )
    at = f"/conversations/{conversation['id']}"
    post(server, conversation=conversation["id"])
    items = made("GET", f"{at}/items?order=asc")
    assert [one["type"] for one in items["data"]] == ["message"] * 3
    compacted = made("POST", "/responses/compact", {"model": "gpt-4o", "input": "Hi"})
    assert compacted["output"].pop(0)["role"] == "user"  # recorded; the types know output items alone
    answers = [
        (conversations.Conversation, conversation),
        (conversations.Conversation, made("GET", at)),
        (conversations.Conversation, made("POST", at, {"metadata": {"c": "d"}})),
        (conversations.ConversationItemList, items),
        (
            conversations.ConversationItemList,
            made("POST", f"{at}/items", {"items": [{"role": "user", "content": "So?"}]}),
        ),
        (conversations.ConversationItem, made("GET", f"{at}/items/{items['data'][0]['id']}")),
        (conversations.Conversation, made("DELETE", f"{at}/items/{items['data'][0]['id']}")),
        (conversations.ConversationDeletedResource, made("DELETE", at)),
        (responses.CompactedResponse, compacted),
        (
            responses.InputTokenCountResponse,
            made("POST", "/responses/input_tokens", {"model": "gpt-4o", "input": "Hi"}),
        ),
    ]
    for kind, answer in answers:
        check(kind, answer)
