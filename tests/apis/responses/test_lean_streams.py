"""Streams of servers that leave events out, or give one thing another id in each event: the texts are there, and once."""

from __future__ import annotations

from typing import Any

import pytest

import runspan
from tests.apis.responses.apps import ASKED, the_one
from tests.apis.responses.server import Scripted, event, message, response, stream
from tests.support.tracing import attribute, texts, traced

WAYS = ("typed", "bytes")
OF = {"item_id": "msg_1", "output_index": 0}
BEGIN = stream()[:3]


def done(text: str, place: int = 0) -> dict[str, Any]:
    return event("response.output_text.done", **OF, content_index=place, text=text, logprobs=[])


def part_done(text: str, kind: str = "output_text", place: int = 0) -> dict[str, Any]:
    part = {"type": kind, "text": text, "annotations": []}
    return event("response.content_part.done", **OF, content_index=place, part=part)


def delta(text: str, place: int = 0) -> dict[str, Any]:
    return event("response.output_text.delta", **OF, content_index=place, delta=text, logprobs=[])


def empty() -> dict[str, Any]:
    return event("response.completed", response={**response(), "output": []})


def play(server: Scripted, client: Any, way: str, events: list[dict[str, Any]], **options: Any) -> Any:
    server.creates([{**one, "sequence_number": n} for n, one in enumerate(events)])
    with traced(**options) as trace:
        if way == "typed":
            list(client.responses.create(**ASKED, stream=True))
        else:
            with client.responses.with_streaming_response.create(**ASKED, stream=True) as raw:
                list(raw.iter_bytes())
        assert runspan.flush(60)
        return the_one(trace)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("middle", "text"),
    [
        ([done("One.")], "One."),
        ([part_done("One.")], "One."),
        ([done("One."), part_done("One."), done("Two.", 1), part_done("Two.", place=1)], "One.Two."),
        ([delta("On"), delta("e."), done("One."), part_done("One.")], "One."),
        ([delta("e."), done("One.")], "One."),
        ([done("Three."), delta("O", 1), delta("ne.", 1), done("One.", 1)], "Three.One."),
    ],
    ids=["text", "part", "parts", "pieces", "half", "both"],
)
def test_a_text_that_only_some_event_told(
    server: Scripted, client: Any, way: str, middle: list[dict[str, Any]], text: str
) -> None:
    span = play(server, client, way, [*BEGIN, *middle, empty()])
    assert texts(span, "output") == [text]
    assert attribute(span, "runspan.run.status") == "completed"


@pytest.mark.parametrize("way", WAYS)
def test_the_end_of_a_thought_is_no_first_token_and_no_text(server: Scripted, client: Any, way: str) -> None:
    span = play(server, client, way, [*BEGIN, part_done("Hm.", "reasoning_text"), done("One."), empty()])
    assert texts(span, "output") == ["One."]
    assert attribute(span, "gen_ai.response.time_to_first_chunk") is None


@pytest.mark.parametrize("way", WAYS)
def test_a_message_under_another_id_in_each_event_is_one(server: Scripted, client: Any, way: str) -> None:
    events = stream(message("One."), message("One.", "msg_2"))
    for n, one in enumerate(events):
        if "item_id" in one:
            one["item_id"] = f"msg_{n}"
        if "item" in one:
            one["item"] = {**one["item"], "id": f"msg_{n}"}
    for n, item in enumerate(events[-1]["response"]["output"]):
        events[-1]["response"]["output"][n] = {**item, "id": f"msg_last_{n}"}
    assert texts(play(server, client, way, events), "output") == ["One.", "One."]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "later", [response(), {**response(), "output": []}, (404, {})], ids=["all", "none", "gone"]
)
def test_what_a_stream_told_nothing_of_is_read_once(
    server: Scripted, client: Any, way: str, later: Any
) -> None:
    server.polls(later)
    span = play(server, client, way, [*BEGIN, empty()], background_fetch=True)
    assert texts(span, "output") == (["It is 42."] if later == response() else [])
    assert [path for method, path, _ in server.seen if method == "GET"] == ["/responses/resp_1"]


def test_a_stream_that_told_something_is_not_read(server: Scripted, client: Any) -> None:
    for events in (stream(), [*BEGIN, done("One."), empty()]):
        play(server, client, "typed", events, background_fetch=True)
    assert [path for method, path, _ in server.seen if method == "GET"] == []
