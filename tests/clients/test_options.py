"""What is copied of a request, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runspan.apis import files
from runspan.apis.api import Exchange, Match, Route
from runspan.apis.assistants import routes as assistants
from runspan.clients.openai import request_options
from runspan.runtime.records import decode
from tests.support import app
from tests.support.tracing import attribute, traced

ROUTES = {
    call: route
    for table in (assistants.ROUTES, files.ROUTES)
    for call, route in table.items()
    if call.startswith("post ")
}


@pytest.mark.parametrize("name", ROUTES)
def test_a_request_is_copied_where_its_reader_looks_at_it(name: str) -> None:
    looked: list[str] = []

    class Body(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            looked.append(key)
            return default

    route: Route = ROUTES[name]
    match = Match(route, object_id="file_1" if route.operation.startswith("update") else None)
    for response in ({}, {"id": "run_1", "thread_id": "thread_1"}):
        route.read(Exchange(match, 1, 2, body=Body(), response=response))
    assert bool(looked) is route.reads_body


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=100)
@given(st.dictionaries(st.text(), JSON))
def test_the_copy_is_what_is_sent(body: dict[str, Any]) -> None:
    sent = json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
    assert decode(request_options.dumped(body)) == sent


def items() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ({"a": float("nan")}, {"a": None}),
        ({"a": MappingProxyType({"b": [1]})}, {"a": {"b": [1]}}),
        ({"a": items()}, {"a": "generator"}),
        ({"a": "half \ud83d"}, {"a": "half ?"}),
        ({None: 1}, {"NoneType": 1}),
        ({1: 2}, {"1": 2}),
    ],
)
def test_what_is_no_json_is_copied_all_the_same(body: Any, read: Any) -> None:
    assert decode(request_options.dumped(body)) == read


def test_a_message_is_not_encoded_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold megabytes, and its answer says the same."""
    dumped: list[Any] = []
    monkeypatch.setattr(request_options, "dumped", lambda sent: dumped.append(sent))
    with traced():
        client = app.canned_client()
        client.beta.threads.messages.create("thread_1", role="user", content="x" * 1_000)
        assert dumped == []
        client.beta.threads.runs.create("thread_1", assistant_id="asst_1")
        assert dumped == [{"assistant_id": "asst_1"}]


@pytest.mark.expects_swallowed
def test_a_request_that_cannot_be_copied_does_not_cost_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise AttributeError("json_data of later days")

    monkeypatch.setattr(request_options, "sent", broken)
    with traced() as seen:
        runs = app.canned_client(status="completed").beta.threads.runs
        run = runs.create("thread_1", assistant_id="asst_1")
        runs.retrieve(run.id, thread_id="thread_1")
        assert attribute(seen.run(), "gen_ai.response.id") == run.id
