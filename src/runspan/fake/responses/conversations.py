"""/conversations and their items"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runspan.fake.faults import ApiError, HttpError
from runspan.fake.http import Handler, Request
from runspan.fake.objects import metadata
from runspan.fake.responses import objects
from runspan.fake.store import Conversation, Object, page

if TYPE_CHECKING:
    from runspan.fake.api import Api


def known(api: Api, id_: str) -> Conversation:
    """The conversation as it is by now: its live response has gone on."""
    conversation = api.state.conversations.get(id_)
    if conversation is None:
        raise ApiError(HttpError(404, f"Conversation with id '{id_}' not found."))
    if conversation.active:
        conversation.active.advance(api.clock.now())
    return conversation


def create(api: Api, request: Request) -> Object:
    body = request.json()
    id_ = api.state.new_id("conv_")
    made = {"id": id_, "object": "conversation", "created_at": api.now, "metadata": metadata(body)}
    conversation = api.state.conversations.put(id_, Conversation(made))
    _add(api, conversation, body)
    return made


def retrieve(api: Api, request: Request, id_: str) -> Object:
    return known(api, id_).body


def update(api: Api, request: Request, id_: str) -> Object:
    conversation = known(api, id_).body
    conversation["metadata"] = metadata(request.json())
    return conversation


def delete(api: Api, request: Request, id_: str) -> Object:
    known(api, id_)
    del api.state.conversations[id_]
    return {"id": id_, "object": "conversation.deleted", "deleted": True}


def create_items(api: Api, request: Request, id_: str) -> Object:
    """-> what was added, the newest first as in every list (recorded)."""
    added = _add(api, known(api, id_), request.json())
    return _page(added, request, {"limit": ["100"]})


def list_items(api: Api, request: Request, id_: str) -> Object:
    return _page(list(known(api, id_).items.values()), request, request.query)


def retrieve_item(api: Api, request: Request, id_: str, item_id: str) -> Object:
    return objects.view_item(_item(known(api, id_), item_id), request.query.get("include[]", ()))


def delete_item(api: Api, request: Request, id_: str, item_id: str) -> Object:
    """-> the conversation it was taken from."""
    conversation = known(api, id_)
    _item(conversation, item_id)
    del conversation.items[item_id]
    return conversation.body


def _add(api: Api, conversation: Conversation, body: Object) -> list[Object]:
    added = objects.input_items(api.state, body.get("items"))
    for item in added:
        conversation.items.put(item["id"], item)
    return added


def _item(conversation: Conversation, item_id: str) -> Object:
    item = conversation.items.get(item_id)
    if item is None:
        problem = f"Item with id '{item_id}' not found in conversation '{conversation.body['id']}'."
        raise ApiError(HttpError(404, problem))
    return item


def _page(items: list[Object], request: Request, query: dict[str, list[str]]) -> Object:
    include = request.query.get("include[]", ())
    return page([objects.view_item(one, include) for one in items], query)


ROUTES: dict[str, Handler] = {
    "POST /conversations": create,
    "GET /conversations/*": retrieve,
    "POST /conversations/*": update,
    "DELETE /conversations/*": delete,
    "POST /conversations/*/items": create_items,
    "GET /conversations/*/items": list_items,
    "GET /conversations/*/items/*": retrieve_item,
    "DELETE /conversations/*/items/*": delete_item,
}
