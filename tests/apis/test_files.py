"""Which calls around files and vector stores are ours, and what their answers say."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.apis import APIS, assistants, files
from runspan.apis.api import Exchange
from runspan.core.model import ApiError, Document, Observation, Search, Stored

CALLS = {
    ("post", "/files"): ("upload_file", None, None),
    ("get", "/files"): ("list_files", None, None),
    ("get", "/files/f"): ("get_file", None, "f"),
    ("delete", "/files/f"): ("delete_file", None, "f"),
    ("get", "/files/f/content"): ("get_file_content", None, "f"),
    ("post", "/vector_stores"): ("create_vector_store", None, None),
    ("get", "/vector_stores"): ("list_vector_stores", None, None),
    ("get", "/vector_stores/v"): ("get_vector_store", "v", None),
    ("post", "/vector_stores/v"): ("update_vector_store", "v", None),
    ("delete", "/vector_stores/v"): ("delete_vector_store", "v", None),
    ("post", "/vector_stores/v/search"): ("retrieval", "v", None),
    ("post", "/vector_stores/v/files"): ("create_vector_store_file", "v", None),
    ("get", "/vector_stores/v/files"): ("list_vector_store_files", "v", None),
    ("get", "/vector_stores/v/files/f"): ("get_vector_store_file", "v", "f"),
    ("post", "/vector_stores/v/files/f"): ("update_vector_store_file", "v", "f"),
    ("delete", "/vector_stores/v/files/f"): ("delete_vector_store_file", "v", "f"),
    ("get", "/vector_stores/v/files/f/content"): ("get_vector_store_file_content", "v", "f"),
    ("post", "/vector_stores/v/file_batches"): ("create_file_batch", "v", None),
    ("get", "/vector_stores/v/file_batches/b"): ("get_file_batch", "v", "b"),
    ("post", "/vector_stores/v/file_batches/b/cancel"): ("cancel_file_batch", "v", "b"),
    ("get", "/vector_stores/v/file_batches/b/files"): ("list_file_batch_files", "v", "b"),
}
FORMS = (
    "{}",
    "{}/",
    "{}?api-version=2024-05-01-preview",
    "http://127.0.0.1:8080/v1{}",
    "https://files.example.com/v1{}",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_route_in_every_form(method: str, path: str, form: str) -> None:
    for spelled in (method, method.upper()):
        matched = files.match(spelled, form.format(path))
        assert matched is not None
        assert (matched.route.operation, matched.store_id, matched.object_id) == CALLS[method, path]
        assert matched.route.is_apart
        assert matched.conversation_id is matched.run_id is None


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("put", "/files/f"),
        ("post", "/files/f"),
        ("post", "/files/f/content"),
        ("get", "/filesystem"),
        ("post", "/vector_stores_of_mine"),
        ("post", "/vector_stores/v/nonsense"),
        ("get", "/vector_stores/v/file_batches/b/files/more"),
        ("post", "/chat/completions"),
        ("post", "/uploads/u/parts"),
        ("post", "https://example.com/files/v1/chat/completions"),
        ("get", "https://example.com/search?q=/files/f"),
        ("get", ""),
        ("get", "http://["),
    ],
)
def test_everything_else_is_none_of_our_business(method: str, url: str) -> None:
    assert APIS.match(method, url) is None


def test_ids_are_read_as_the_objects_have_them() -> None:
    found = APIS.match("get", "/vector_stores/v%201/files/f%2F1")
    assert found is not None
    _, matched = found
    assert (matched.store_id, matched.object_id) == ("v 1", "f/1")


def test_the_assistants_api_is_asked_first() -> None:
    for url in ("/threads/t/runs", "https://example.com/threads/t/runs"):
        assert APIS.match("post", url) == (assistants.API, assistants.match("post", url))
    assert APIS.match("post", "/files") == (files.API, files.match("post", "/files"))


def test_what_a_route_is() -> None:
    def kinds(name: str) -> set[str]:
        return {
            operation
            for (m, p), (operation, _, _) in CALLS.items()
            if getattr(APIS.match(m, p)[1].route, name)
        }  # type: ignore[index]

    assert kinds("is_poll") == {"get_vector_store_file", "get_file_batch"}
    assert kinds("gives_file") == {"get_file_content", "get_vector_store_file_content"}
    assert kinds("is_write") == {operation for (m, _), (operation, _, _) in CALLS.items() if m != "get"}
    assert kinds("starts_run") == set()


def read(method: str, path: str, body: Any = None, response: Any = None) -> Any:
    matched = files.match(method, path)
    assert matched is not None
    return matched.route.read(Exchange(matched, 1, 2, body=body or {}, response=response or {}))


COUNTS = {"in_progress": 1, "completed": 2, "failed": 3, "cancelled": 4, "total": 10}


@pytest.mark.parametrize(
    ("call", "body", "response", "stored"),
    [
        (
            ("post", "/files"),
            {"purpose": "assistants"},
            {"id": "f", "filename": "a.txt", "bytes": 5, "purpose": "assistants", "status": "processed"},
            Stored(file_id="f", file_name="a.txt", file_bytes=5, purpose="assistants"),
        ),
        (("post", "/files"), {"purpose": "batch"}, None, Stored(purpose="batch")),
        (("post", "/files"), {"purpose": "batch"}, {"purpose": "vision"}, Stored(purpose="vision")),
        (("delete", "/files/f"), None, {"id": "f", "deleted": True}, Stored(file_id="f")),
        (
            ("post", "/vector_stores"),
            {"name": "n"},
            {"id": "v", "name": "n", "status": "in_progress", "file_counts": COUNTS},
            Stored(store_id="v", store_name="n", status="in_progress", counts=COUNTS),
        ),
        (
            ("post", "/vector_stores/v/files"),
            {"file_id": "f"},
            {"id": "f", "status": "failed", "last_error": {"code": "invalid_file", "message": "no"}},
            Stored(store_id="v", file_id="f", status="failed", error=ApiError("invalid_file", "no")),
        ),
        (
            ("post", "/vector_stores/v/files"),
            {"file_id": "y"},
            {"id": "f"},
            Stored(store_id="v", file_id="f"),
        ),
        (("post", "/vector_stores/v/files"), {"file_id": "f"}, None, Stored(store_id="v", file_id="f")),
        (
            ("post", "/vector_stores/v/file_batches"),
            {"file_ids": ["f"]},
            {"id": "b", "status": "completed", "file_counts": {**COUNTS, "total": "ten", "odd": 1}},
            Stored(
                store_id="v",
                batch_id="b",
                status="completed",
                counts={k: n for k, n in COUNTS.items() if k != "total"},
            ),
        ),
    ],
)
def test_what_an_answer_says(call: tuple[str, str], body: Any, response: Any, stored: Stored) -> None:
    assert read(*call, body, response) == Observation(request_ns=1, response_ns=2, stored=stored)


def test_the_path_says_what_it_is_about_before_the_answer_does() -> None:
    told = {"id": "x", "status": "completed"}
    expected = {
        ("get", "/files/f"): Stored(file_id="f"),
        ("get", "/vector_stores/v"): Stored(store_id="v", status="completed"),
        ("get", "/vector_stores/v/files/f"): Stored(store_id="v", file_id="f", status="completed"),
        ("get", "/vector_stores/v/file_batches/b"): Stored(store_id="v", batch_id="b", status="completed"),
    }
    assert {call: read(*call, {"file_id": "y"}, told).stored for call in expected} == expected


def test_a_search_and_its_hits() -> None:
    hit = {
        "file_id": "f",
        "filename": "a.txt",
        "score": 1,
        "content": [{"type": "text", "text": t} for t in "xy"],
    }
    odd = {"file_id": 5, "score": True, "content": "text"}
    seen = read(
        "post",
        "/vector_stores/v/search",
        {"query": ["a", 1, "b"], "max_num_results": 3},
        {"data": [hit, odd, 7]},
    )
    found = (Document("f", "a.txt", 1.0, "x\ny"), Document(None, None, None, None))
    stored, search = Stored(store_id="v"), Search(("a", "b"), 3, found)
    assert seen == Observation(request_ns=1, response_ns=2, stored=stored, search=search)
    assert read("post", "/vector_stores/v/search", {"query": "one"}).search == Search(("one",))
    assert read("post", "/vector_stores/v/search", {"query": 5}, {"data": 5}).search == Search()
