"""/threads and /threads/*/messages"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runspan.fake import objects
from runspan.fake.faults import refused
from runspan.fake.http import Handler, Request
from runspan.fake.indexing import tool_resources
from runspan.fake.store import Object, Thread, page

if TYPE_CHECKING:
    from runspan.fake.api import Api


def find(api: Api, thread_id: str) -> Thread:
    """The thread as it is by now: its live run has gone on."""
    thread = api.state.threads.find(thread_id)
    if thread.active:
        thread.active.advance(api.clock.now())
    return thread


def new_thread(api: Api, body: Mapping[str, Any]) -> Thread:
    id_ = api.state.new_id("thread_")
    made: Object = {
        "id": id_,
        "object": "thread",
        "created_at": api.now,
        "metadata": objects.metadata(body),
        "tool_resources": tool_resources(api, body),
    }
    thread = Thread(made)
    for message in body.get("messages") or ():
        add_message(api, thread, message)
    return api.state.threads.put(id_, thread)


def add_message(api: Api, thread: Thread, body: Mapping[str, Any]) -> Object:
    if body.get("role") not in ("user", "assistant"):
        raise refused(f"Invalid value: '{body.get('role')}'.", code="invalid_value", param="role")
    parts = objects.content(body.get("content"))
    id_ = api.state.new_id("msg_")
    attached = body.get("attachments") or [
        {"file_id": id_} for id_ in body.get("file_ids") or ()
    ]  # v1: the ids
    more = {"attachments": attached, "metadata": objects.metadata(body)}
    message = objects.message(id_, api.now, thread.body["id"], body["role"], parts, **more)
    return thread.messages.put(id_, message)


def create(api: Api, request: Request) -> Object:
    return new_thread(api, request.json()).body


def retrieve(api: Api, request: Request, thread_id: str) -> Object:
    return find(api, thread_id).body


def update(api: Api, request: Request, thread_id: str) -> Object:
    thread, body = find(api, thread_id).body, request.json()
    if "metadata" in body:
        thread["metadata"] = objects.metadata(body)
    if "tool_resources" in body:
        thread["tool_resources"] = tool_resources(api, body)
    return thread


def delete(api: Api, request: Request, thread_id: str) -> Object:
    find(api, thread_id)
    del api.state.threads[thread_id]
    return {"id": thread_id, "object": "thread.deleted", "deleted": True}


def create_message(api: Api, request: Request, thread_id: str) -> Object:
    thread = find(api, thread_id)
    if thread.active:
        run_id = thread.active.body["id"]
        raise refused(f"Can't add messages to {thread_id} while a run {run_id} is active.")
    return add_message(api, thread, request.json())


def list_messages(api: Api, request: Request, thread_id: str) -> Object:
    messages = find(api, thread_id).messages.values()
    run_id = request.query.get("run_id", [None])[-1]
    return page([one for one in messages if run_id in (None, one["run_id"])], request.query)


def retrieve_message(api: Api, request: Request, thread_id: str, message_id: str) -> Object:
    return find(api, thread_id).messages.find(message_id)


def update_message(api: Api, request: Request, thread_id: str, message_id: str) -> Object:
    message = find(api, thread_id).messages.find(message_id)
    message["metadata"] = objects.metadata(request.json())
    return message


def delete_message(api: Api, request: Request, thread_id: str, message_id: str) -> Object:
    messages = find(api, thread_id).messages
    messages.find(message_id)
    del messages[message_id]
    return {"id": message_id, "object": "thread.message.deleted", "deleted": True}


ROUTES: dict[str, Handler] = {
    "POST /threads": create,
    "GET /threads/*": retrieve,
    "POST /threads/*": update,
    "DELETE /threads/*": delete,
    "POST /threads/*/messages": create_message,
    "GET /threads/*/messages": list_messages,
    "GET /threads/*/messages/*": retrieve_message,
    "POST /threads/*/messages/*": update_message,
    "DELETE /threads/*/messages/*": delete_message,
}
