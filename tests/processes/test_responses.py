"""Real processes: one creates a response, another is told of its end by a webhook, a third reads it. One span, once."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from runspan.fake import Server, SimulatedClock, serve
from runspan.viewer.spans import Span
from tests.processes.test_relay import Start, end, starting
from tests.support.otlp import generations, unfinished
from tests.support.receiver import Receiver

pytest.importorskip("openai.types.webhooks", reason="this openai has no webhooks")

ANSWER = "Good to see you. What shall we look at?"


@pytest.fixture
def fake() -> Iterator[Server]:
    """Its clock stands until a test moves it, and each poll moves it a little."""
    with serve(responses="text", clock=SimulatedClock(poll_step_s=0.01)) as server:
        yield server


@pytest.fixture
def start(fake: Server, receiver: Receiver) -> Iterator[Start]:
    yield from starting(fake, receiver, "tests.processes.responder")


def advance(fake: Server) -> None:
    fake.clock.advance(30)  # type: ignore[attr-defined]


def the_one(receiver: Receiver, emitted_by: str, *, under_ask: bool = True) -> Span:
    """One span for the response, under the function that created it."""
    (span,) = generations(receiver)
    assert span.resource["service.name"] == emitted_by
    assert span.attributes["runspan.run.status"] == "completed"
    assert unfinished(receiver) == {}
    assert span.attributes["gen_ai.usage.input_tokens"]
    if under_ask:
        (ask,) = [s for s in receiver.spans if s.name == "ask"]
        assert (span.trace_id, span.parent_id) == (ask.trace_id, ask.span_id)
        assert ANSWER in str(span.attributes["gen_ai.output.messages"])
        assert "6 times 7" in str(span.attributes["gen_ai.input.messages"])
    return span


def test_who_is_told_by_a_webhook_finishes_the_response_in_its_creators_trace(
    start: Start, fake: Server, receiver: Receiver
) -> None:
    options = {"propagate_in_metadata": True}
    creator, hook, reader = (start(name, **options) for name in ("creator", "hook", "reader"))
    fake.add_webhook(hook.do("listen")["url"], copies=2)
    order = creator.do("create")
    assert order["metadata"].keys() == {"runspan"}
    advance(fake)
    hook.do("hear", {"count": 2})
    assert reader.do("read", order)["answer"] == ANSWER
    assert hook.do("stats")["emitted"] == 1
    assert reader.do("stats")["started"] == 0
    end(creator, hook, reader)
    span = the_one(receiver, "hook")
    assert span.attributes["runspan.run.origin"] == "adopted"


def test_the_same_where_the_creator_was_killed_after_the_create(
    start: Start, fake: Server, receiver: Receiver
) -> None:
    creator, hook, reader = (
        start(name, propagate_in_metadata=True) for name in ("creator", "hook", "reader")
    )
    fake.add_webhook(hook.do("listen")["url"])
    order = creator.do("create")
    creator.process.send_signal(signal.SIGKILL)
    creator.process.communicate()
    advance(fake)
    hook.do("hear", {"count": 1})
    assert reader.do("read", order)["status"] == "completed"
    end(hook, reader)
    (span,) = generations(receiver)
    assert span.resource["service.name"] == "hook"
    assert span.parent_id is not None
    line = dict(pair.split("=") for pair in order["metadata"]["runspan"].split("&"))
    assert (span.trace_id, span.span_id, span.parent_id) == (line["t"], line["s"], line["p"])


def test_without_the_key_the_creators_own_look_finds_the_end(
    start: Start, fake: Server, receiver: Receiver
) -> None:
    creator, hook, reader = (start(name) for name in ("creator", "hook", "reader"))
    fake.add_webhook(hook.do("listen")["url"])
    order = creator.do("create")
    advance(fake)
    hook.do("hear", {"count": 1})
    reader.do("read", order)
    assert hook.do("stats")["started"] == reader.do("stats")["started"] == 0
    end(hook, reader, creator)
    the_one(receiver, "creator")


def test_one_that_is_handed_off_is_finished_where_it_is_adopted(
    start: Start, fake: Server, receiver: Receiver
) -> None:
    creator, worker = start("creator"), start("worker")
    order = creator.do("handoff", creator.do("create"))
    assert worker.do("adopt", order)["status"] == "completed"
    assert creator.do("stats")["handed_off"] == 1
    end(creator, worker)
    the_one(receiver, "worker")


def test_one_is_adopted_when_its_end_was_read_already(start: Start, fake: Server, receiver: Receiver) -> None:
    """As a scheduled job does that only goes on once the answer is there."""
    creator, first, second = start("creator"), start("first"), start("second")
    order = creator.do("handoff", creator.do("create"))
    assert first.do("read", order)["status"] == "queued"
    advance(fake)
    second.do("read", order)
    second.do("adopt", order)
    end(creator, first, second)
    the_one(receiver, "second")


def test_a_stream_is_resumed_in_another_process(start: Start, fake: Server, receiver: Receiver) -> None:
    fake.responses.scenario = "stream_cut"
    creator, worker = start("creator"), start("worker")
    order = creator.do("handoff", creator.do("stream"))
    assert order["error"] in ("APIConnectionError", "RemoteProtocolError")
    assert worker.do("adopt", order)["status"] == "response.completed"
    end(creator, worker)
    span = the_one(receiver, "worker", under_ask=False)
    assert "Once upon a time" in str(span.attributes["gen_ai.output.messages"])
