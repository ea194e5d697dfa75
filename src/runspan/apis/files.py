"""Files and vector stores: what apps do around runs, in one table.

The bytes of files are never looked at; their names are content. openai 1.30 has vector stores under `client.beta`, later ones under
`client`: the paths are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..core.fields import Wire, items, mapping, number, real, text, texts
from ..core.model import Document, Observation, Search, Stored
from .api import Api, Exchange, Route
from .objects import error
from .urls import Table, matcher

COUNTS = ("in_progress", "completed", "failed", "cancelled", "total")


def _seen(exchange: Exchange, search: Search | None = None, **told: Any) -> Observation:
    return Observation(
        request_ns=exchange.request_ns, response_ns=exchange.response_ns, stored=Stored(**told), search=search
    )


def _file(exchange: Exchange) -> Observation:
    told = exchange.response
    return _seen(
        exchange,
        file_id=_object_id(exchange),
        file_name=text(told, "filename"),
        file_bytes=number(told, "bytes"),
        purpose=text(told, "purpose") or text(exchange.body, "purpose"),
    )


def _store(exchange: Exchange) -> Observation:
    told = exchange.response
    return _seen(
        exchange,
        store_id=exchange.match.store_id or text(told, "id"),
        store_name=text(told, "name"),
        status=text(told, "status"),
        counts=_counts(told),
    )


def _store_file(exchange: Exchange) -> Observation:
    told = exchange.response
    return _seen(
        exchange,
        file_id=_object_id(exchange) or text(exchange.body, "file_id"),
        store_id=exchange.match.store_id,
        status=text(told, "status"),
        error=error(mapping(told, "last_error")),
    )


def _batch(exchange: Exchange) -> Observation:
    told = exchange.response
    return _seen(
        exchange,
        store_id=exchange.match.store_id,
        batch_id=_object_id(exchange),
        status=text(told, "status"),
        counts=_counts(told),
    )


def _object_id(exchange: Exchange) -> str | None:
    return exchange.match.object_id or text(exchange.response, "id")


def _search(exchange: Exchange) -> Observation:
    query, top_k = text(exchange.body, "query"), number(exchange.body, "max_num_results")
    queries = texts(exchange.body, "query") if query is None else (query,)
    search = Search(queries, top_k, tuple(map(_document, items(exchange.response, "data"))))
    return _seen(exchange, search, store_id=exchange.match.store_id)


def _document(wire: Wire) -> Document:
    chunks = [chunk for part in items(wire, "content") if (chunk := text(part, "text")) is not None]
    return Document(
        file_id=text(wire, "file_id"),
        file_name=text(wire, "filename"),
        score=real(wire, "score"),
        text="\n".join(chunks) if chunks else None,
    )


def _counts(told: Wire) -> Mapping[str, int]:
    counts = mapping(told, "file_counts")
    return {name: found for name in COUNTS if (found := number(counts, name)) is not None}


_write = partial(Route, is_write=True, is_apart=True)
_read = partial(Route, is_apart=True)
_list = partial(Route, is_apart=True, is_list=True)

ROUTES: Table = {
    "post /files": _write("upload_file", _file, reads_body=True, uploads=True),
    "get /files": _list("list_files", _file),
    "get /files/{object}": _read("get_file", _file),
    "delete /files/{object}": _write("delete_file", _file),
    "get /files/{object}/content": _read("get_file_content", _file, gives_file=True),
    "post /vector_stores": _write("create_vector_store", _store),
    "get /vector_stores": _list("list_vector_stores", _store),
    "get /vector_stores/{store}": _read("get_vector_store", _store),
    "post /vector_stores/{store}": _write("update_vector_store", _store),
    "delete /vector_stores/{store}": _write("delete_vector_store", _store),
    "post /vector_stores/{store}/search": _write("retrieval", _search, reads_body=True),
    "post /vector_stores/{store}/files": _write("create_vector_store_file", _store_file, reads_body=True),
    "get /vector_stores/{store}/files": _list("list_vector_store_files", _store),
    "get /vector_stores/{store}/files/{object}": _read("get_vector_store_file", _store_file, is_poll=True),
    "post /vector_stores/{store}/files/{object}": _write("update_vector_store_file", _store_file),
    "delete /vector_stores/{store}/files/{object}": _write("delete_vector_store_file", _store_file),
    "get /vector_stores/{store}/files/{object}/content": _read(
        "get_vector_store_file_content", _store_file, gives_file=True
    ),
    "post /vector_stores/{store}/file_batches": _write("create_file_batch", _batch),
    "get /vector_stores/{store}/file_batches/{object}": _read("get_file_batch", _batch, is_poll=True),
    "post /vector_stores/{store}/file_batches/{object}/cancel": _write("cancel_file_batch", _batch),
    "get /vector_stores/{store}/file_batches/{object}/files": _list("list_file_batch_files", _batch),
}

match = matcher(ROUTES)


# What a helper that uploads, creates and polls is, as one call: (resource, method) -> Route.
HELPERS: Mapping[tuple[str, str], Route] = {
    ("FileBatches", "upload_and_poll"): _write("upload_file_batch", _batch),
    ("FileBatches", "create_and_poll"): _write("create_file_batch", _batch),
    ("Files", "upload_and_poll"): _write("upload_vector_store_file", _store_file),
    ("Files", "create_and_poll"): _write("create_vector_store_file", _store_file, reads_body=True),
    ("Files", "wait_for_processing"): _read("get_file", _file),
}

API = Api(name="files", match=match, helpers=HELPERS)
