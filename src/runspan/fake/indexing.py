"""Vector stores as the server keeps them. Files are indexed one after the other, each in INDEX_S; an empty one fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runspan.fake import objects
from runspan.fake.files import find as find_file
from runspan.fake.store import Object, VectorStore

if TYPE_CHECKING:
    from runspan.fake.api import Api

INDEX_S = 0.05
STATUSES = ("in_progress", "completed", "failed", "cancelled")
EMPTY = {"code": "invalid_file", "message": "The file could not be parsed because it is empty."}
DEFAULT_CHUNKING = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}


def find(api: Api, store_id: str) -> VectorStore:
    """The vector store as it is by now: what had time to be indexed is."""
    store, now = api.state.vector_stores.find(store_id), api.clock.now()
    for file in store.files.values():
        if file["status"] == "in_progress" and now >= file["_ready_at"]:
            known = api.state.files.get(file["id"])
            if known is not None and not known.content:
                file.update(status="failed", last_error=dict(EMPTY))
            else:
                file.update(status="completed", usage_bytes=known.body["bytes"] if known else 0)
    for batch in store.batches.values():
        batch["file_counts"] = counts_of(store.files[id_] for id_ in batch["_file_ids"] if id_ in store.files)
        if batch["status"] == "in_progress" and not batch["file_counts"]["in_progress"]:
            batch["status"] = "completed"
    counts = counts_of(store.files.values())
    status = "in_progress" if counts["in_progress"] else "completed"
    usage_bytes = sum(file["usage_bytes"] for file in store.files.values())
    store.body.update(file_counts=counts, status=status, usage_bytes=usage_bytes)
    return store


def new_store(api: Api, body: Mapping[str, Any]) -> Object:
    id_ = api.state.new_id("vs_")
    made: Object = {
        "id": id_,
        "object": "vector_store",
        "created_at": api.now,
        "name": body.get("name"),
        "description": body.get("description"),
        "usage_bytes": 0,
        "file_counts": counts_of(()),
        "status": "completed",
        "expires_after": body.get("expires_after"),
        "expires_at": None,
        "last_active_at": api.now,
        "metadata": objects.metadata(body),
    }
    store = api.state.vector_stores.put(id_, VectorStore(made))
    for file_id in body.get("file_ids") or ():
        add_file(api, store, file_id, body)
    return find(api, id_).body


def add_file(api: Api, store: VectorStore, file_id: str, body: Mapping[str, Any]) -> Object:
    find_file(api, file_id)
    made: Object = {
        "id": file_id,
        "object": "vector_store.file",
        "usage_bytes": 0,
        "created_at": api.now,
        "vector_store_id": store.body["id"],
        "status": "in_progress",
        "last_error": None,
        "chunking_strategy": _chunking(body),
        "attributes": body.get("attributes") or {},
        "_ready_at": api.clock.now() + INDEX_S * (1 + counts_of(store.files.values())["in_progress"]),
    }
    return store.files.put(file_id, made)


def tool_resources(api: Api, body: Mapping[str, Any]) -> Object:
    """As given; the vector stores to be made for it are made (recorded: only their ids come back)."""
    given: Object = dict(body.get("tool_resources") or {})
    if body.get("file_ids"):  # as v1 said it
        given["code_interpreter"] = {"file_ids": list(body["file_ids"])}
    wanted = given.get("file_search", {}).get("vector_stores")
    if wanted:
        stores = [new_store(api, one)["id"] for one in wanted]
        given["file_search"] = {"vector_store_ids": stores}
    return given


def counts_of(files: Iterable[Object]) -> dict[str, int]:
    found = [file["status"] for file in files]
    return {**{status: found.count(status) for status in STATUSES}, "total": len(found)}


def _chunking(body: Mapping[str, Any]) -> Object:
    given: Object = body.get("chunking_strategy") or {"type": "auto"}
    return given if given["type"] == "static" else DEFAULT_CHUNKING
