"""A stream that is read from its beginning again: what it repeats is the same response's, once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apis.responses.server import RESPONSE, Scripted, function_call, message, stream
from tests.support.tracing import Traced, attribute, messages, traced

OURS: dict[str, Any] = {"model": "gpt-4o", "input": "?", "background": True, "stream": True}
SEARCH: dict[str, Any] = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"query": "1"},
}
ITEMS = (SEARCH, message("First.", "msg_1"), message("Second.", "msg_2"))
ALIKE = (
    SEARCH,
    {**SEARCH, "action": {"query": "2"}},
    message("First.", "msg_1"),
    message("Second.", "msg_1"),
)
NAMELESS = tuple({**item, "id": None} for item in ALIKE)
SEQUENCES = {"honest": stream(*ITEMS), "alike": stream(*ALIKE), "without ids": stream(*NAMELESS)}
STATUSES = ["response.queued", "response.in_progress", "response.completed"]


def told(trace: Traced) -> tuple[Any, ...]:
    (span,) = trace.spans("chat")
    parts = [part for m in messages(span, "output") for part in m["parts"]]
    statuses = [event.name for event in span.events if event.name.startswith("response.")]
    queries = [attribute(tool, "gen_ai.tool.call.arguments") for tool in trace.tools()]
    return queries, [part.get("content", part["type"]) for part in parts], statuses


def expected(ids: str) -> tuple[Any, ...]:
    queries = ['{"query":"1"}', '{"query":"2"}'][: 1 if ids == "honest" else 2]
    return queries, ["server_tool_call"] * len(queries) + ["First.", "Second."], STATUSES


def lines_of(client: Any) -> Iterator[str]:
    with client.responses.with_streaming_response.retrieve(RESPONSE, stream=True) as raw:
        yield from raw.iter_lines()


@pytest.mark.parametrize("ids", SEQUENCES)
@pytest.mark.parametrize("way", ["typed", "bytes"])
def test_wherever_the_first_was_left(server: Scripted, client: Any, way: str, ids: str) -> None:
    events = SEQUENCES[ids]
    server.creates(events).polls(events)
    for left_after in range(1, len(events)):
        with traced() as trace:
            with client.responses.create(**OURS) as first:
                for _ in itertools.islice(first, left_after):
                    pass
            for _ in client.responses.retrieve(RESPONSE, stream=True) if way == "typed" else lines_of(client):
                pass
            assert told(trace) == expected(ids), left_after


@pytest.mark.parametrize("ids", SEQUENCES)
def test_a_poll_tells_the_same(server: Scripted, client: Any, ids: str) -> None:
    events = SEQUENCES[ids]
    server.creates(events[:-1]).polls(events[-1]["response"])
    with traced() as trace:
        for _ in client.responses.create(**OURS):
            pass
        client.responses.retrieve(RESPONSE)
        assert told(trace) == expected(ids)
    server.creates(events[0]["response"])
    with traced() as trace:
        client.responses.create(**{**OURS, "stream": False})
        client.responses.retrieve(RESPONSE)
        assert told(trace)[:2] == expected(ids)[:2]


@pytest.mark.parametrize("ids", SEQUENCES)
def test_while_the_first_goes_on(server: Scripted, client: Any, ids: str) -> None:
    """An app with two tabs: both read in turn."""
    events = SEQUENCES[ids]
    server.creates(events).polls(events)
    with traced() as trace:
        with client.responses.create(**OURS) as first:
            for _ in itertools.islice(first, len(events) // 2):
                pass
            with client.responses.retrieve(RESPONSE, stream=True) as second:
                for _ in itertools.zip_longest(first, second):
                    pass
        assert told(trace) == expected(ids)


def test_a_text_that_never_came_whole_is_told_once(server: Scripted, client: Any) -> None:
    events = stream(message("abcdefgh"))
    server.creates(events).polls(events)
    with traced() as trace:
        for number, asked in (
            (1, client.responses.create(**OURS)),
            (2, client.responses.retrieve(RESPONSE, stream=True)),
        ):
            with asked as told_now:
                pieces = (event for event in told_now if event.type == "response.output_text.delta")
                assert len(list(itertools.islice(pieces, number))) == number
        trace.handle.uninstrument()
        (span,) = trace.exporter.get_finished_spans()
    assert attribute(span, "runspan.run.unfinished") == "stream_closed"
    assert [part["content"] for m in messages(span, "output") for part in m["parts"]] == ["abcdefgh"]


def test_the_calls_that_it_asks_for_are_told_once(server: Scripted, client: Any) -> None:
    events = stream(function_call())
    server.creates(events).polls(events)
    with traced() as trace:
        with client.responses.create(**OURS) as first:
            for _ in itertools.islice(first, len(events) - 1):
                pass
        for _ in client.responses.retrieve(RESPONSE, stream=True):
            pass
        output = {"type": "function_call_output", "call_id": "call_1", "output": "22 C"}
        server.creates(stream(message(), id="resp_2"))
        for _ in client.responses.create(**{**OURS, "input": [output]}, previous_response_id=RESPONSE):
            pass
        assert [attribute(tool, "gen_ai.tool.call.result") for tool in trace.tools()] == ["22 C"]


@pytest.mark.parametrize("way", ["typed", "bytes"])
def test_an_item_without_an_id_keeps_what_the_client_does_not_know(
    server: Scripted, client: Any, way: str
) -> None:
    """The stream is cut before the whole response tells it again."""
    call = {"type": "bing_grounding_call", "status": "completed", "name": "bing", "arguments": '{"q":"1"}'}
    server.creates(stream(call)[:-1])
    with traced() as trace:
        if way == "typed":
            list(client.responses.create(**OURS))
        else:
            with client.responses.with_streaming_response.create(**OURS) as raw:
                list(raw.iter_lines())
        trace.handle.uninstrument()
        (tool,) = [s for s in trace.exporter.get_finished_spans() if s.name.startswith("execute_tool")]
    assert tool.name == "execute_tool bing"
    assert attribute(tool, "gen_ai.tool.call.arguments") == '{"q":"1"}'
