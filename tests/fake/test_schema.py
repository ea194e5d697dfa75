"""Every answer and every event of the fake, held against the API description."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runspan.fake import SCENARIOS, Server
from tests.fake.wire import FUNCTION, USER, Schemas, call, events

# Where the wire differs from its description; test_the_wire_differs_there_too shows each in a recording.
WIRE = {
    ("thread.message", ".status: missing"),
    ("thread.message", ".incomplete_details: missing"),
    ("thread.message", ".completed_at: missing"),
    ("thread.message", ".incomplete_at: missing"),
    ("thread.run", ".instructions: None is no string"),
    ("thread.run.step", ".expired_at: missing"),
    ("thread.run.step", ".metadata: missing"),
    ("vector_store", ".expires_after: None is no object"),
    ("vector_store", ".name: None is no string"),
    ("vector_store.file_batch", ".object: 'vector_store.file_batch' is none of ['vector_store.files_batch']"),
}
SHAPES = {
    "thread.message": "MessageObject",
    "thread.run": "RunObject",
    "thread.run.step": "RunStepObject",
    "vector_store": "VectorStoreObject",
    "vector_store.file_batch": "VectorStoreFileBatchObject",
}
# Known to the official client's types, not to the description.
CLIENT = {
    ".incomplete_details.reason: 'content_filter' is none of ['max_completion_tokens', 'max_prompt_tokens']"
}
RUNNABLE = [name for name, one in SCENARIOS.items() if one.era == "v2" and not one.fault]


@pytest.fixture(scope="session")
def schemas(openapi: Path) -> Schemas:
    return Schemas(json.loads(openapi.read_text()))


def breaches(schemas: Schemas, thing: Any, schema: Any) -> list[str]:
    """What is wrong with `thing`, without what is wrong on the wire too."""
    found = [problem.replace(".data[]", "", 1) for problem in schemas.problems(thing, schema)]
    kinds = {one["object"] for one in [thing, *(thing.get("data", ()))] if "object" in one}
    return [one for one in found if one not in CLIENT and not any((kind, one) in WIRE for kind in kinds)]


def session(server: Server) -> Iterator[tuple[str, str, Any]]:
    """(method, path, answer) of one call of each documented endpoint, from upload to deletion."""

    def made(method: str, path: str, body: Any = None, **headers: str) -> Any:
        status, _, answer = call(server.base_url, method, path, body, **headers)
        assert status == 200, (method, path, answer)
        return answer

    upload = (
        b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="birds.txt"\r\n\r\nHeron: waits\r\n'
        b"--b--\r\n"
    )
    file = made("POST", "/files", upload, content_type="multipart/form-data; boundary=b")
    yield "POST", "/files", file
    store = made("POST", "/vector_stores", {"name": "birds"})
    yield "POST", "/vector_stores", store
    at = f"/vector_stores/{store['id']}"
    batch = made("POST", f"{at}/file_batches", {"file_ids": [file["id"]]})
    yield "POST", f"{at}/file_batches", batch
    yield (
        "POST",
        f"{at}/file_batches/{batch['id']}/cancel",
        made("POST", f"{at}/file_batches/{batch['id']}/cancel"),
    )
    assistant = made("POST", "/assistants", {"model": "gpt-4o", "tools": [FUNCTION]})
    yield "POST", "/assistants", assistant
    thread = made("POST", "/threads", {"messages": [USER]})
    yield "POST", "/threads", thread
    on = f"/threads/{thread['id']}"
    message = made("POST", f"{on}/messages", USER)
    yield "POST", f"{on}/messages", message
    run = made("POST", f"{on}/runs", {"assistant_id": assistant["id"]})
    yield "POST", f"{on}/runs", run
    one = f"{on}/runs/{run['id']}"
    waiting = made("GET", one)
    yield "GET", one, waiting
    call_id = waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    outputs = {"tool_outputs": [{"tool_call_id": call_id, "output": "cake"}]}
    yield "POST", f"{one}/submit_tool_outputs", made("POST", f"{one}/submit_tool_outputs", outputs)
    yield "GET", one, made("GET", one)
    steps = made("GET", f"{one}/steps")
    yield "GET", f"{one}/steps", steps
    other = made("POST", "/threads/runs", {"assistant_id": assistant["id"], "thread": {"messages": [USER]}})
    yield "POST", "/threads/runs", other
    rest: list[tuple[str, str, Any]] = [
        ("POST", f"/threads/{other['thread_id']}/runs/{other['id']}/cancel", None),
        ("GET", f"{one}/steps/{steps['data'][0]['id']}", None),
        ("POST", one, {"metadata": {"a": "b"}}),
        ("GET", f"{on}/runs", None),
        ("GET", f"{on}/messages", None),
        ("GET", f"{on}/messages/{message['id']}", None),
        ("POST", f"{on}/messages/{message['id']}", {"metadata": {"a": "b"}}),
        ("DELETE", f"{on}/messages/{message['id']}", None),
        ("GET", on, None),
        ("POST", on, {"metadata": {"a": "b"}}),
        ("DELETE", on, None),
        ("GET", "/assistants", None),
        ("GET", f"/assistants/{assistant['id']}", None),
        ("POST", f"/assistants/{assistant['id']}", {"name": "Cook", "tools": [{"type": "file_search"}]}),
        ("DELETE", f"/assistants/{assistant['id']}", None),
        ("GET", f"{at}/file_batches/{batch['id']}", None),
        ("GET", f"{at}/file_batches/{batch['id']}/files", None),
        ("POST", f"{at}/files", {"file_id": file["id"]}),
        ("GET", f"{at}/files", None),
        ("GET", f"{at}/files/{file['id']}", None),
        ("POST", f"{at}/files/{file['id']}", {"attributes": {"kind": "bird"}}),
        ("GET", f"{at}/files/{file['id']}/content", None),
        ("POST", f"{at}/search", {"query": "Heron"}),
        ("DELETE", f"{at}/files/{file['id']}", None),
        ("GET", "/vector_stores", None),
        ("GET", at, None),
        ("POST", at, {"name": "waders"}),
        ("DELETE", at, None),
        ("GET", "/files", None),
        ("GET", f"/files/{file['id']}", None),
        ("GET", f"/files/{file['id']}/content", None),
        ("DELETE", f"/files/{file['id']}", None),
    ]
    for method, path, body in rest:
        yield method, path, made(method, path, body)


def test_every_documented_endpoint_answers_as_described(
    fake: Callable[..., Server], schemas: Schemas
) -> None:
    reached = []
    for method, path, answer in session(fake("function")):
        schema = schemas.response(method, path)
        reached.append(id(schema))
        if isinstance(answer, dict):
            assert breaches(schemas, answer, schema) == [], (method, path)
    operations = [op for paths in schemas.description["paths"].values() for op in paths.values()]
    assert len(set(reached)) == len(operations)


@pytest.mark.parametrize("name", RUNNABLE)
def test_objects_and_events_of_each_scenario_are_as_described(
    fake: Callable[..., Server], schemas: Schemas, name: str
) -> None:
    server = fake(name)
    assistant = call(server.base_url, "POST", "/assistants", {"model": "gpt-4o", "tools": [FUNCTION]})[2]
    body = {"assistant_id": assistant["id"], "thread": {"messages": [USER]}, "stream": True}
    described = {
        choice["properties"]["event"]["enum"][0]: choice["properties"]["data"]
        for union in ("ThreadStreamEvent", "RunStreamEvent", "RunStepStreamEvent", "MessageStreamEvent")
        for choice in schemas.named(union).get("oneOf", [schemas.named(union)])
    }
    streamed = events(call(server.base_url, "POST", "/threads/runs", body)[2])
    for event, data in streamed:
        if event not in ("done", "error"):
            assert breaches(schemas, data, described[event]) == [], event
    on = f"/threads/{streamed[0][1]['id']}"
    for path in (f"{on}/messages", f"{on}/runs", f"{on}/runs/{streamed[1][1]['id']}/steps"):
        answer = call(server.base_url, "GET", path)[2]
        assert breaches(schemas, answer, schemas.response("GET", path)) == [], path


def test_errors_have_the_described_shape(fake: Callable[..., Server], schemas: Schemas) -> None:
    status, _, answer = call(fake().base_url, "GET", "/threads/thread_none")
    assert status == 404
    assert list(schemas.problems(answer, schemas.named("ErrorResponse"))) == []


def test_the_wire_differs_there_too(recordings: Path, schemas: Schemas) -> None:
    seen = set()
    for line in (line for file in recordings.glob("*.jsonl") for line in file.read_text().splitlines()):
        answer = json.loads(line)["response"]["body"]
        for thing in answer.get("data", [answer]) if isinstance(answer, dict) else ():
            kind = thing.get("object")
            if kind in SHAPES:
                seen |= {(kind, one) for one in schemas.problems(thing, schemas.named(SHAPES[kind]))}
    assert seen >= WIRE
