"""/vector_stores with files, file batches and search"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runspan.fake import objects
from runspan.fake.faults import refused
from runspan.fake.files import find as find_file
from runspan.fake.http import Handler, Request
from runspan.fake.indexing import add_file, counts_of, find, new_store
from runspan.fake.store import Object, page
from runspan.fake.tools import search as search_files

if TYPE_CHECKING:
    from runspan.fake.api import Api


def create(api: Api, request: Request) -> Object:
    return new_store(api, request.json())


def retrieve(api: Api, request: Request, store_id: str) -> Object:
    api.clock.polled()
    return find(api, store_id).body


def update(api: Api, request: Request, store_id: str) -> Object:
    store, body = find(api, store_id).body, request.json()
    store.update({name: body[name] for name in ("name", "expires_after") if name in body})
    if "metadata" in body:
        store["metadata"] = objects.metadata(body)
    return store


def list_(api: Api, request: Request) -> Object:
    return page([find(api, id_).body for id_ in api.state.vector_stores], request.query)


def delete(api: Api, request: Request, store_id: str) -> Object:
    find(api, store_id)
    del api.state.vector_stores[store_id]
    return {"id": store_id, "object": "vector_store.deleted", "deleted": True}


def search(api: Api, request: Request, store_id: str) -> Object:
    find(api, store_id)
    body = request.json()
    queries = [body["query"]] if isinstance(body["query"], str) else body["query"]
    found = search_files(api.state, [store_id], " ".join(queries), body.get("max_num_results", 10))
    data = [
        {
            "file_id": one.file_id,
            "filename": one.file_name,
            "score": one.score,
            "attributes": {},
            "content": [{"type": "text", "text": one.content}],
        }
        for one in found
    ]
    page_ = "vector_store.search_results.page"
    return {"object": page_, "search_query": queries, "data": data, "has_more": False, "next_page": None}


def create_file(api: Api, request: Request, store_id: str) -> Object:
    body = request.json()
    if not body.get("file_id"):
        raise refused(
            "Missing required parameter: 'file_id'.", code="missing_required_parameter", param="file_id"
        )
    return _public(add_file(api, find(api, store_id), body["file_id"], body))


def retrieve_file(api: Api, request: Request, store_id: str, file_id: str) -> Object:
    api.clock.polled()
    return _public(find(api, store_id).files.find(file_id))


def update_file(api: Api, request: Request, store_id: str, file_id: str) -> Object:
    file = find(api, store_id).files.find(file_id)
    file["attributes"] = request.json().get("attributes") or {}
    return _public(file)


def list_files(api: Api, request: Request, store_id: str) -> Object:
    return _page_of_files(find(api, store_id).files.values(), request)


def delete_file(api: Api, request: Request, store_id: str, file_id: str) -> Object:
    files = find(api, store_id).files
    files.find(file_id)
    del files[file_id]
    return {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}


def file_content(api: Api, request: Request, store_id: str, file_id: str) -> Object:
    find(api, store_id).files.find(file_id)
    text = find_file(api, file_id).content.decode(errors="replace")
    data = [{"type": "text", "text": text}]
    return {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}


def create_batch(api: Api, request: Request, store_id: str) -> Object:
    store, body = find(api, store_id), request.json()
    given = body.get("files") or [{**body, "file_id": id_} for id_ in body.get("file_ids") or ()]
    if not given:
        raise refused("Missing required parameter: 'file_ids'.", code="missing_required_parameter")
    files = [add_file(api, store, one["file_id"], one) for one in given]
    id_ = api.state.new_id("vsfb_")
    batch: Object = {
        "id": id_,
        "object": "vector_store.file_batch",
        "created_at": api.now,
        "status": "in_progress",
        "vector_store_id": store_id,
        "file_counts": counts_of(files),
        "_file_ids": [file["id"] for file in files],
    }
    return _public(store.batches.put(id_, batch))


def retrieve_batch(api: Api, request: Request, store_id: str, batch_id: str) -> Object:
    api.clock.polled()
    return _public(find(api, store_id).batches.find(batch_id))


def cancel_batch(api: Api, request: Request, store_id: str, batch_id: str) -> Object:
    store = find(api, store_id)
    batch = store.batches.find(batch_id)
    if batch["status"] != "in_progress":
        raise refused(f"Cannot cancel a file batch with status '{batch['status']}'.")
    for file_id in batch["_file_ids"]:
        store.files[file_id]["status"] = "cancelled"
    batch["status"] = "cancelled"
    return _public(find(api, store_id).batches[batch_id])


def list_batch_files(api: Api, request: Request, store_id: str, batch_id: str) -> Object:
    store = find(api, store_id)
    ids = store.batches.find(batch_id)["_file_ids"]
    return _page_of_files((store.files[id_] for id_ in ids if id_ in store.files), request)


def _page_of_files(files: Iterable[Object], request: Request) -> Object:
    status = request.query.get("filter", [None])[-1]
    return page([_public(one) for one in files if status in (None, one["status"])], request.query)


def _public(thing: Object) -> Object:
    """Without what only the server knows."""
    return {name: value for name, value in thing.items() if not name.startswith("_")}


ROUTES: dict[str, Handler] = {
    "POST /vector_stores": create,
    "GET /vector_stores": list_,
    "GET /vector_stores/*": retrieve,
    "POST /vector_stores/*": update,
    "DELETE /vector_stores/*": delete,
    "POST /vector_stores/*/search": search,
    "POST /vector_stores/*/files": create_file,
    "GET /vector_stores/*/files": list_files,
    "GET /vector_stores/*/files/*": retrieve_file,
    "POST /vector_stores/*/files/*": update_file,
    "DELETE /vector_stores/*/files/*": delete_file,
    "GET /vector_stores/*/files/*/content": file_content,
    "POST /vector_stores/*/file_batches": create_batch,
    "GET /vector_stores/*/file_batches/*": retrieve_batch,
    "POST /vector_stores/*/file_batches/*/cancel": cancel_batch,
    "GET /vector_stores/*/file_batches/*/files": list_batch_files,
}
