"""Conversations: their items, their pages, one response at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest

from runspan.fake import Server, SimulatedClock
from tests.fake.responses.wire import ASK, polled

pytest.importorskip("openai.types.conversations", reason="this openai has no conversations")


def texts(page: Any) -> list[str]:
    return [item.content[0].text for item in page]


def test_items_are_added_paged_and_deleted(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    conversations = client(fake()).conversations
    made = conversations.create(metadata={"topic": "birds"}, items=[{"role": "user", "content": "first"}])
    added = conversations.items.create(
        made.id,
        items=[{"role": "user", "content": "second"}, {"role": "assistant", "content": "third"}],
        include=["message.input_image.image_url"],
    )
    assert [item.content[0].text for item in added.data] == ["third", "second"]
    page = conversations.items.list(made.id, limit=2, include=["web_search_call.action.sources"])
    assert page.has_more
    assert texts(page) == ["third", "second", "first"]  # through both pages
    assert texts(conversations.items.list(made.id, order="asc")) == ["first", "second", "third"]
    second = added.data[1].id
    assert conversations.items.retrieve(second, conversation_id=made.id).content[0].type == "input_text"
    assert conversations.items.delete(second, conversation_id=made.id).id == made.id
    assert texts(conversations.items.list(made.id)) == ["third", "first"]
    with pytest.raises(openai.NotFoundError):
        conversations.items.retrieve(second, conversation_id=made.id)


def test_a_conversation_is_changed_and_deleted(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    conversations = client(fake()).conversations
    made = conversations.create(metadata={"topic": "birds"})
    assert conversations.update(made.id, metadata={"topic": "fish"}).metadata == {"topic": "fish"}
    assert conversations.retrieve(made.id).metadata == {"topic": "fish"}
    assert conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        conversations.retrieve(made.id)


def test_a_response_adds_its_input_and_output_when_it_is_over(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    clock = SimulatedClock(poll_step_s=None)
    server = fake(clock=clock)
    api = client(server)
    id_ = api.conversations.create(
        items=[{"role": "system", "content": "Address the user as Ada Lovelace."}]
    ).id
    made = api.responses.create(model="gpt-4o", input="Hi", conversation={"id": id_}, background=True)
    assert made.conversation.id == id_
    assert len(list(api.conversations.items.list(id_))) == 1
    with pytest.raises(openai.BadRequestError, match="currently operating on this conversation"):
        api.responses.create(model="gpt-4o", input="Hello?", conversation=id_)
    clock.advance(60)
    assert texts(api.conversations.items.list(id_)) == [
        "Ada Lovelace, you said: Hi",
        "Hi",
        "Address the user as Ada Lovelace.",
    ]
    again = api.responses.create(model="gpt-4o", input="And?", conversation=id_, background=True)
    listed = texts(api.responses.input_items.list(again.id))
    assert listed[0] == "And?"
    assert len(listed) == 4


def test_a_conversation_and_a_previous_response_exclude_each_other(
    fake: Callable[..., Server], client: Callable[[Server], Any]
) -> None:
    api = client(fake())
    with pytest.raises(openai.BadRequestError, match="Mutually exclusive"):
        api.responses.create(**ASK, conversation="conv_x", previous_response_id="resp_x")


def test_a_failed_response_adds_nothing(fake: Callable[..., Server], client: Callable[[Server], Any]) -> None:
    server = fake(responses="failed")
    api = client(server)
    id_ = api.conversations.create().id
    polled(server, api.responses.create(**ASK, conversation=id_, background=True).id)
    assert list(api.conversations.items.list(id_)) == []
