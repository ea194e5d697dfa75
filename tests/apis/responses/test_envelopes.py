"""Gateways put the events of a response into envelopes. However they are read, the span is the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runspan.apis.responses.events import EVENTS
from tests.apis.responses import server
from tests.apis.responses.apps import ASKED, the_one, typed
from tests.support.odd_server import Odd, odd_server
from tests.support.playing import BOTH, App, client_of
from tests.support.slices import every
from tests.support.tracing import attribute, texts, traced


def line(data: Any) -> str:
    return f"data: {json.dumps(data)}\n\n"


ENVELOPES: dict[str, Callable[[dict[str, Any]], str]] = {
    "none": line,
    "event": lambda event: line({"event": event["type"], "data": event}),
    "type": lambda event: line({"type": event["type"], "data": event}),
    "text": lambda event: line({"event": event["type"], "data": json.dumps(event)}),
    "twice": lambda event: line({"event": "message", "data": {"event": event["type"], "data": event}}),
    "named": lambda event: f"event: message\n{line({'event': event['type'], 'data': event})}",
}


async def as_bytes(app: App) -> None:
    asked = app.client.responses.with_streaming_response.create(**ASKED, stream=True)
    async with app.opened(asked) as response:
        await app.each(response.iter_bytes())


WAYS = {"typed": typed, "bytes": as_bytes}


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    with odd_server() as running:
        yield running


def play(odd: Odd, kind: str, way: str, lines: list[str]) -> None:
    odd.whole = ({"content-type": "text/event-stream"}, [one.encode() for one in lines])
    App(kind, client_of(kind, odd), odd).play(WAYS[way])  # type: ignore[arg-type]


@pytest.mark.parametrize(("envelope", "way", "kind"), every(5, [*ENVELOPES], [*WAYS], BOTH))
def test_a_stream_in_every_envelope(envelope: str, way: str, kind: str, odd: Odd) -> None:
    with traced() as trace:
        play(odd, kind, way, [ENVELOPES[envelope](event) for event in server.stream()])
        span = the_one(trace)
    assert attribute(span, "gen_ai.response.id") == server.RESPONSE
    assert attribute(span, "runspan.run.status") == "completed"
    assert attribute(span, "gen_ai.usage.output_tokens") == 30
    assert attribute(span, "gen_ai.response.time_to_first_chunk") > 0
    assert texts(span, "output") == ["It is 42."]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_the_pieces_of_a_stream_that_was_cut(envelope: str, way: str, odd: Odd) -> None:
    pieces = [event for event in server.stream() if event["type"].rpartition(".")[2] != "done"][:-1]
    with traced(background_fetch=False) as trace:
        play(odd, "OpenAI", way, [ENVELOPES[envelope](event) for event in pieces])
        trace.handle.uninstrument()
        span = the_one(trace)
    assert attribute(span, "runspan.run.unfinished") == "stream_closed"
    assert texts(span, "output") == ["It is 42."]


def test_a_whole_text_takes_the_room_of_its_pieces() -> None:
    texts = EVENTS.new_texts(100)
    texts.take({"item_id": "msg_1", "delta": "b" * 60}, str)
    texts.take({"item_id": "msg_1", "text": "a" * 20 + "b" * 60}, str)
    assert texts.texts() == {"msg_1": "a" * 20 + "b" * 60}
