"""Spoilt responses and events through the real client: the app gets what it gets without us, whatever that is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given

import runspan
from runspan.runtime import worker
from tests.apis.responses.server import RESPONSE, Scripted, function_call, message, response, serving, stream
from tests.fuzz.spoil import spoilt
from tests.support.tracing import traced

responses = pytest.importorskip("openai.types.responses", reason="this openai has no responses")

ITEMS = (
    {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Think."}]},
    {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    },
    {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": "iVBORw0K" * 30},
    function_call("call_1", city="Bern"),
    {**function_call("call_1", city="Ulm"), "id": "fc_2"},
    message(),
)
WHOLE: dict[str, Any] = {
    "queued": response("queued"),
    "over": response(
        "completed", *ITEMS, conversation={"id": "conv_1"}, prompt={"id": "p", "variables": {"a": "b"}}
    ),
    "events": stream(*ITEMS),
    "next": response("completed", message(), id="resp_2"),
}
ASKED: dict[str, Any] = {"model": "gpt-4o", "input": "?", "background": True}


@runspan.observe(kind="tool")
def weather(**_: Any) -> str:
    return "22 C"


def outcome(act: Callable[[], Any]) -> tuple[str, str]:
    """What the app got: the type and the text of a result or an error."""
    try:
        result = act()
    except Exception as error:
        return type(error).__name__, str(error)
    return type(result).__name__, result if isinstance(result, str) else repr(result)


def answered(client: Any, given: Any) -> Any:
    """The app runs whatever it is asked for."""
    outputs = []
    for item in given.output:
        if getattr(item, "type", None) == "function_call":
            said = weather(**json.loads(item.arguments))
            outputs.append({"type": "function_call_output", "call_id": item.call_id, "output": said})
    return client.responses.create(**{**ASKED, "input": outputs}, previous_response_id=given.id)


def lines(client: Any) -> str:
    with client.responses.with_streaming_response.create(**ASKED, stream=True) as raw:
        return "\n".join(raw.iter_lines())


def calls_of(client: Any, server: Scripted, objects: dict[str, Any]) -> list[tuple[str, str]]:
    events = (
        [e for e in objects["events"] if isinstance(e, dict)] if isinstance(objects["events"], list) else []
    )
    events = [{**e, "type": str(e.get("type", "")).encode("ascii", "replace").decode()} for e in events]
    server.says("GET", f"/responses/{RESPONSE}", objects["queued"], objects["over"])
    told: list[tuple[str, str]] = []
    server.creates(objects["queued"])
    told.append(outcome(lambda: client.responses.create(**ASKED)))
    told += [outcome(lambda: client.responses.retrieve(RESPONSE)) for _ in range(2)]
    server.creates(objects["next"])
    told.append(outcome(lambda: answered(client, client.responses.retrieve(RESPONSE))))
    server.creates(events)
    told.append(outcome(lambda: list(client.responses.create(**ASKED, stream=True))))
    told.append(outcome(lambda: lines(client)))
    server.says("GET", f"/responses/{RESPONSE}", events)
    told.append(outcome(lambda: list(client.responses.retrieve(RESPONSE, stream=True, starting_after=1))))
    return told


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Any, Scripted]]:
    """The worker reads at once."""
    with pytest.MonkeyPatch.context() as patch, serving() as server, server.client() as client:
        patch.setattr(worker, "TICK_S", 0.0)
        yield client, server


@given(spoilt(WHOLE, most=6))
def test_the_app_cannot_tell(running: tuple[Any, Scripted], objects: Any) -> None:
    if not isinstance(objects, dict) or set(objects) != set(WHOLE):
        return
    bare = calls_of(*running, objects)
    with traced() as trace:
        assert calls_of(*running, objects) == bare
        trace.spans()
        stats = trace.handle.stats()
    assert stats.started == stats.emitted + stats.unfinished + stats.live
    for span in trace.exporter.get_finished_spans():
        span.to_json().encode()
