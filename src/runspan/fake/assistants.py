"""/assistants"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runspan.fake import objects
from runspan.fake.faults import refused
from runspan.fake.http import Handler, Request
from runspan.fake.indexing import tool_resources
from runspan.fake.store import Object, page

if TYPE_CHECKING:
    from runspan.fake.api import Api

PLAIN = ("name", "description", "model", "instructions", "temperature", "top_p", "reasoning_effort")
UPDATABLE = frozenset({*PLAIN, "response_format"})


def create(api: Api, request: Request) -> Object:
    body = request.json()
    if not body.get("model"):
        raise refused(
            "Missing required parameter: 'model'.", code="missing_required_parameter", param="model"
        )
    id_ = api.state.new_id("asst_")
    return api.state.assistants.put(id_, objects.assistant(id_, api.now, body, tool_resources(api, body)))


def retrieve(api: Api, request: Request, id_: str) -> Object:
    return api.state.assistants.find(id_)


def update(api: Api, request: Request, id_: str) -> Object:
    assistant, body = api.state.assistants.find(id_), request.json()
    changes: dict[str, Any] = {name: body[name] for name in UPDATABLE & body.keys()}
    if "tools" in body:
        changes["tools"] = objects.tools(body["tools"])
    if "tool_resources" in body:
        changes["tool_resources"] = tool_resources(api, body)
    if "metadata" in body:
        changes["metadata"] = objects.metadata(body)
    assistant.update(changes)
    return assistant


def list_(api: Api, request: Request) -> Object:
    return page(list(api.state.assistants.values()), request.query)


def delete(api: Api, request: Request, id_: str) -> Object:
    api.state.assistants.find(id_)
    del api.state.assistants[id_]
    return {"id": id_, "object": "assistant.deleted", "deleted": True}


ROUTES: dict[str, Handler] = {
    "POST /assistants": create,
    "GET /assistants": list_,
    "GET /assistants/*": retrieve,
    "POST /assistants/*": update,
    "DELETE /assistants/*": delete,
}
