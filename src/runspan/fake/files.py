"""/files"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runspan.fake.faults import ApiError, HttpError, refused
from runspan.fake.http import Handler, Request, Response
from runspan.fake.store import File, Object, page

if TYPE_CHECKING:
    from runspan.fake.api import Api


def create(api: Api, request: Request) -> Object:
    form = request.form()
    if "file" not in form or "purpose" not in form:
        raise refused("Missing required parameter: 'file' or 'purpose'.", code="missing_required_parameter")
    name, content = form["file"]
    id_ = api.state.new_id("file-")
    body: Object = {
        "object": "file",
        "id": id_,
        "purpose": form["purpose"][1].decode(),
        "filename": name or "upload",
        "bytes": len(content),
        "created_at": api.now,
        "expires_at": None,
        "status": "processed",
        "status_details": None,
    }
    return api.state.files.put(id_, File(body, content)).body


def find(api: Api, file_id: str) -> File:
    file = api.state.files.get(file_id)
    if file is None:
        raise ApiError(HttpError(404, f"No such File object: {file_id}", param="id"))
    return file


def retrieve(api: Api, request: Request, file_id: str) -> Object:
    return find(api, file_id).body


def list_(api: Api, request: Request) -> Object:
    purpose = request.query.get("purpose", [None])[-1]
    bodies = [file.body for file in api.state.files.values()]
    return page([one for one in bodies if purpose in (None, one["purpose"])], request.query, limit=10_000)


def content(api: Api, request: Request, file_id: str) -> Response:
    return Response(body=find(api, file_id).content, headers={"content-type": "application/octet-stream"})


def delete(api: Api, request: Request, file_id: str) -> Object:
    find(api, file_id)
    del api.state.files[file_id]
    return {"id": file_id, "object": "file", "deleted": True}


ROUTES: dict[str, Handler] = {
    "POST /files": create,
    "GET /files": list_,
    "GET /files/*": retrieve,
    "GET /files/*/content": content,
    "DELETE /files/*": delete,
}
