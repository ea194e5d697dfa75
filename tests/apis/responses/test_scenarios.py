"""The eight ways of a response, in real time: one span where one belongs, right in all it says, as long as the response took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from runspan.fake import Clock
from runspan.fake.responses import Ending, Message, Scenario, Usage
from tests.apis.responses.apps import LIVE, created, of_responses, responding
from tests.apis.responses.test_streamed import cut_and_resumed
from tests.fake.wire import call
from tests.support.playing import BOTH, App, here, spans_of_app_go_to
from tests.support.tracing import attribute, texts, traced

both = pytest.mark.parametrize("kind", BOTH)

QUEUED_S, WORKED_S = 0.1, 0.2
POLL_S = 0.02
USAGE = Usage(100, 30, 10, 5, 20)
ANSWERED = Scenario((Message("It is 42.", seconds=WORKED_S),), queue_s=QUEUED_S, usage=USAGE)


async def pause(app: App) -> None:
    """The app's own; in its thread, as a sync case runs without a loop."""
    time.sleep(POLL_S)


async def watched(app: App, response: Any) -> Any:
    """Polls to the end, and keeps what the last two polls show: between them it ended."""
    app.seen["alive_ns"] = time.time_ns()
    while response.status in LIVE:
        await pause(app)
        asked_ns = time.time_ns()
        response = await app.got(app.client.responses.retrieve(response.id))
        if response.status in LIVE:
            app.seen["alive_ns"] = asked_ns
    app.seen["over_ns"] = time.time_ns()
    return response


async def polled(app: App) -> None:
    await watched(app, await created(app))


async def plain(app: App) -> None:
    await created(app, background=False)


async def streamed(app: App) -> None:
    app.seen["alive_ns"] = time.time_ns()
    await app.each(await created(app, stream=True))
    app.seen["over_ns"] = time.time_ns()


async def resumed(app: App) -> None:
    app.seen["alive_ns"] = time.time_ns()
    await cut_and_resumed(app, 1)
    app.seen["over_ns"] = time.time_ns()


async def in_conversation(app: App) -> None:
    conversation = await app.got(app.client.conversations.create())
    app.seen["conversation"] = conversation.id
    await watched(app, await created(app, conversation=conversation.id))


async def cancelled(app: App) -> None:
    response = await created(app)
    app.seen["alive_ns"] = time.time_ns()
    response = await app.got(app.client.responses.cancel(response.id))
    app.seen["over_ns"] = time.time_ns()
    await watched_on(app, response)


async def over_elsewhere_and_read_twice(app: App) -> None:
    """Somebody else polls it to its end, with another client; here it is read twice then."""
    response = await created(app)
    path = f"/responses/{response.id}"
    app.seen["alive_ns"] = time.time_ns()
    while call(app.server.base_url, "GET", path)[2]["status"] in LIVE:
        await pause(app)
    app.seen["over_ns"] = time.time_ns()
    for _ in range(2):
        await watched_on(app, await app.got(app.client.responses.retrieve(response.id)))


async def watched_on(app: App, response: Any) -> None:
    assert response.status not in LIVE
    await app.got(app.client.responses.retrieve(response.id))


@dataclass(frozen=True)
class Way:
    play: Callable[[App], Any]
    scenario: Scenario = ANSWERED
    status: str | None = "completed"  # None: it is not traced
    error: str | None = None
    says: str | None = "It is 42."


WAYS = {
    "polled": Way(polled),
    "plain": Way(plain, status=None),
    "streamed": Way(streamed),
    "cut and resumed": Way(resumed, ANSWERED.but(cuts=(5,))),
    "failed": Way(
        polled,
        ANSWERED.but(ending=Ending("failed", "server_error", "Sorry.", open_item=True)),
        "failed",
        "server_error",
    ),
    "in a conversation": Way(in_conversation),
    "cancelled": Way(cancelled, ANSWERED, "cancelled", says=None),
    "over elsewhere and read twice": Way(over_elsewhere_and_read_twice),
}


@both
@pytest.mark.parametrize("name", WAYS)
def test_each_way_is_right(kind: str, name: str) -> None:
    way = WAYS[name]
    if name == "in a conversation":
        pytest.importorskip("openai.types.conversations", reason="this openai has no conversations")

    async def whole(app: App) -> None:
        with here("turn"):
            await way.play(app)

    with responding(kind, way.scenario, clock=Clock()) as app, traced() as trace:
        with spans_of_app_go_to(trace.provider):
            app.play(whole)
        spans, found = trace.spans(), of_responses(trace)
        (turn,) = [span for span in spans if span.name == "turn"]
        ended_s = {run.body["id"]: run.ended_at for run in app.server.state.responses.values()}
    assert len(found) == (way.status is not None)
    if way.status is None:
        return
    (span,) = found
    check(span, turn, way, app)
    truth_ns = int(ended_s[attribute(span, "runspan.run.id")] * 1e9)
    uncertain_ns = attribute(span, "runspan.run.end_uncertainty_s") * 1e9
    polled_ns = app.seen["over_ns"] - app.seen["alive_ns"]  # the poll interval in which it ended
    assert span.end_time is not None
    assert abs(span.end_time - truth_ns) <= max(uncertain_ns, polled_ns) + 20_000_000


def check(span: ReadableSpan, turn: ReadableSpan, way: Way, app: App) -> None:
    assert (span.name, span.parent and span.parent.span_id) == ("chat gpt-4o", turn.context.span_id)
    assert (attribute(span, "runspan.run.status"), attribute(span, "error.type")) == (way.status, way.error)
    is_paid = way.status == "completed"
    assert attribute(span, "gen_ai.usage.input_tokens") == (100 if is_paid else None)
    assert attribute(span, "gen_ai.usage.output_tokens") == (30 if is_paid else None)
    assert texts(span, "output") == ([way.says] if way.says else [])
    assert texts(span, "input") == ["What is 6 times 7?"]
    conversation = app.seen.get("conversation") or attribute(span, "runspan.run.id")
    assert attribute(span, "gen_ai.conversation.id") == conversation
