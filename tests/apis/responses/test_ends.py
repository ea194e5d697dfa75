"""Every way out of a response in the background."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import openai
import pytest
from opentelemetry.trace import StatusCode

from runspan.fake import SimulatedClock
from runspan.fake.responses import SCENARIOS, Ending, Message, Scenario
from tests.apis.responses.apps import LIVE, created, of_responses, polled, responding, the_one
from tests.apis.responses.server import RESPONSE, Scripted, function_call, message, response, stream
from tests.support.playing import BOTH, App, here, spans_of_app_go_to
from tests.support.tracing import attribute, texts, traced

both = pytest.mark.parametrize("kind", BOTH)

ENDINGS = {  # scenario -> status, error, incomplete reason, finish reason
    "text": ("completed", None, None, "stop"),
    "refusal": ("completed", None, None, "content_filter"),
    "failed": ("failed", "server_error", None, "error"),
    "rate_limited": ("failed", "rate_limit_exceeded", None, "error"),
    "incomplete": ("incomplete", None, "max_output_tokens", "length"),
    "incomplete_messages": ("incomplete", None, "max_messages", "length"),
    "content_filter": ("incomplete", None, "content_filter", "content_filter"),
    "function": ("completed", None, None, "tool_call"),
}


async def to_its_end(app: App) -> Any:
    return await polled(app, await created(app))


@both
@pytest.mark.parametrize("scenario", ENDINGS)
def test_the_end_is_what_the_response_says(kind: str, scenario: str) -> None:
    with responding(kind, scenario) as app, traced() as trace:
        app.play(to_its_end)
        span = the_one(trace)
    status, error, reason, finish = ENDINGS[scenario]
    assert (attribute(span, "runspan.run.status"), attribute(span, "error.type")) == (status, error)
    assert attribute(span, "runspan.run.incomplete_reason") == reason
    assert attribute(span, "gen_ai.response.finish_reasons") == (finish,)
    assert span.status.status_code is (StatusCode.ERROR if error else StatusCode.UNSET)


@both
def test_one_that_was_steered_stopped(kind: str) -> None:
    steered = Scenario((Message("One."),), ending=Ending("incomplete", reason="steered"))
    with responding(kind, steered) as app, traced() as trace:
        app.play(to_its_end)
        assert attribute(the_one(trace), "gen_ai.response.finish_reasons") == ("stop",)


async def cancelled(app: App) -> None:
    response = await created(app)
    with here("cancel"):
        response = await app.got(app.client.responses.cancel(response.id))
    assert response.status == "cancelled"
    assert (
        await polled(app, await app.got(app.client.responses.retrieve(response.id)))
    ).status == "cancelled"


@both
def test_one_that_is_cancelled_is_no_error(kind: str) -> None:
    with responding(kind, "slow") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(cancelled)
        span = the_one(trace)
        assert sorted(s.name for s in trace.spans()) == ["cancel", "cancel_response", "chat gpt-4o"]
    assert (attribute(span, "runspan.run.status"), span.status.status_code) == ("cancelled", StatusCode.UNSET)
    assert attribute(span, "gen_ai.usage.input_tokens") is None


async def deleted(app: App) -> None:
    response = await created(app)
    app.server.clock.advance(60)  # type: ignore[attr-defined]
    await app.got(app.client.responses.delete(response.id))
    with pytest.raises(openai.NotFoundError):
        await app.got(app.client.responses.retrieve(response.id))


@both
def test_one_that_is_deleted_before_it_was_read_goes_out(kind: str) -> None:
    with responding(kind, "text") as app, traced() as trace:
        app.play(deleted)
        span = the_one(trace)
    assert attribute(span, "runspan.run.unfinished") == "deleted"
    assert attribute(span, "runspan.run.status") == "queued"


async def left_too_long(app: App) -> None:
    """Nobody looks until the server has forgotten it."""
    response = await created(app, store=False)
    app.server.clock.advance(60)  # type: ignore[attr-defined]
    seen = await app.got(app.client.responses.retrieve(response.id)) if app.seen.get("looks") else None
    assert seen is None or seen.status in LIVE or seen.status == "completed"
    app.server.clock.advance(660)  # type: ignore[attr-defined]
    with pytest.raises(openai.NotFoundError):
        await app.got(app.client.responses.retrieve(response.id))


@both
def test_one_that_the_server_knows_no_more_goes_out(kind: str) -> None:
    clock = SimulatedClock(poll_step_s=None)
    with responding(kind, SCENARIOS["text"].but(stores=False), clock=clock) as app, traced() as trace:
        app.play(left_too_long)
        assert attribute(the_one(trace), "runspan.run.unfinished") == "not_found"


@both
def test_an_exception_in_the_apps_loop_leaves_the_response_to_others(kind: str) -> None:
    async def raises(app: App) -> None:
        stream = await created(app, stream=True)
        with suppress(ZeroDivisionError):
            async with app.opened(stream) as events:
                first = await app.next_of(events.__aiter__() if app.is_async else events)
                app.seen["id"] = first.response.id
                raise ZeroDivisionError
        await app.flushed()

    with responding(kind, "text") as app, traced(fetch="auto", settle_s=0.0) as trace:
        app.play(raises)
        span = the_one(trace)
    assert attribute(span, "runspan.run.id") == app.seen["id"]


@both
def test_one_that_nobody_looked_at_again_is_looked_up_at_the_end_of_the_process(kind: str) -> None:
    async def forgotten(app: App) -> None:
        await created(app)

    with responding(kind, "text") as app, traced(fetch="auto") as trace:
        app.play(forgotten)
        app.server.clock.advance(60)  # type: ignore[attr-defined]
        trace.handle.uninstrument(timeout=10)
        (span,) = [s for s in trace.exporter.get_finished_spans() if attribute(s, "runspan.run.id")]
    assert (attribute(span, "runspan.run.status"), attribute(span, "runspan.run.unfinished")) == (
        "completed",
        None,
    )
    assert texts(span, "output") == ["Good to see you. What shall we look at?"]


@both
@pytest.mark.parametrize(
    "scenario", ["model_not_found", "http_rate_limited", "http_server_error", "http_dropped"]
)
def test_a_request_that_starts_nothing_is_a_span_with_its_error(kind: str, scenario: str) -> None:
    async def refused(app: App) -> None:
        with pytest.raises(openai.APIError) as raised:
            await created(app, conversation="conv_1")
        app.seen["error"] = raised.value

    with responding(kind, scenario) as app, traced() as trace:
        app.play(refused)
        (span,) = trace.spans()
    error = app.seen["error"]
    code = getattr(error, "code", None) or getattr(error, "type", None) or type(error).__name__
    assert (span.name, attribute(span, "error.type")) == ("chat gpt-4o", code)
    assert attribute(span, "gen_ai.conversation.id") == "conv_1"
    assert of_responses(trace) == []


def test_one_that_is_read_again_after_its_end_leaves_nothing(server: Scripted, client: Any) -> None:
    asking = response("completed", function_call())
    server.creates(asking).polls(asking)
    with traced() as trace:
        tracker = trace.handle._tracker
        client.responses.create(model="gpt-4o", input="?", background=True)
        assert len(trace.spans()) == 1
        client.responses.retrieve(RESPONSE)
        assert (len(trace.spans()), len(tracker.registry)) == (1, 0)


def test_one_that_is_not_found_at_first_is_followed_to_its_end(server: Scripted, client: Any) -> None:
    unknown = (404, {"error": {"message": "not found", "code": "not_found"}})
    server.creates(response("queued")).polls(unknown, response("in_progress"), unknown, response())
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        for _ in range(2):
            with pytest.raises(openai.NotFoundError):
                client.responses.retrieve(RESPONSE)
            client.responses.retrieve(RESPONSE)
        span = the_one(trace)
    assert attribute(span, "runspan.run.status") == "completed"
    assert attribute(span, "runspan.run.unfinished") is None


@pytest.mark.parametrize("is_over", [False, True])
def test_an_id_that_the_server_gives_out_again_is_another_response(
    server: Scripted, client: Any, is_over: bool
) -> None:
    server.creates(response("queued")).polls(response())
    with traced() as trace:
        for question in ("First?", "Second?"):
            client.responses.create(model="gpt-4o", input=question, background=True)
            if is_over or question == "Second?":
                client.responses.retrieve(RESPONSE)
            if is_over:
                trace.spans()
        first, second = of_responses(trace)
    assert (texts(first, "input"), texts(second, "input")) == (["First?"], ["Second?"])
    assert attribute(first, "runspan.run.unfinished") == (None if is_over else "evicted")
    assert attribute(second, "runspan.run.polls") == 1


@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_completed_one_without_tokens_says_so(server: Scripted, client: Any, status: str) -> None:
    server.creates(response("queued")).polls(response(status, usage=None))
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        client.responses.retrieve(RESPONSE)
        missing = attribute(the_one(trace), "runspan.run.missing")
    assert missing == (("usage",) if status == "completed" else None)


@pytest.mark.parametrize("form", ["responses", "with_raw_response"])
def test_an_answer_of_any_size_is_read_in_whatever_form_the_app_takes_it(
    server: Scripted, client: Any, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runspan.clients.taps.MAX_BYTES", 1_000)
    server.creates(response("queued")).polls(response("completed", message("word " * 1_000)))
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        resource = client.responses if form == "responses" else client.responses.with_raw_response
        resource.retrieve(RESPONSE)
        assert texts(the_one(trace), "output") == ["word " * 1_000]


def test_of_an_image_of_any_size_that_is_read_in_pieces_the_rest_is_known(
    server: Scripted, client: Any
) -> None:
    drawn = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": "A" * 9_000_000}
    server.creates(response("queued")).polls(response("completed", drawn, message()))
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        with client.responses.with_streaming_response.retrieve(RESPONSE) as raw:
            assert sum(map(len, raw.iter_bytes())) > 9_000_000
        span = the_one(trace)
        assert [tool.name for tool in trace.tools()] == ["execute_tool image_generation"]
    assert attribute(span, "runspan.run.status") == "completed"
    assert attribute(span, "gen_ai.usage.output_tokens") == 30
    assert texts(span, "output") == ["It is 42."]


@pytest.mark.parametrize(
    ("created", "unfinished"),
    [(response("queued"), "shutdown"), (response("in_progress"), "shutdown"), ({"odd": True}, "unread")],
)
def test_the_finish_reason_of_an_end_that_nobody_saw_is_error(
    server: Scripted, client: Any, created: Any, unfinished: str
) -> None:
    """The conventions: one that was expected, but not received."""
    server.creates(created)
    with traced() as trace:
        client.responses.create(model="gpt-4o", input="?", background=True)
        trace.handle.uninstrument()
        (span,) = trace.exporter.get_finished_spans()
    assert attribute(span, "runspan.run.unfinished") == unfinished
    assert attribute(span, "gen_ai.response.finish_reasons") == ("error",)


@pytest.mark.parametrize("leaves", [False, True])
def test_one_that_is_deleted_while_it_is_streamed_ends_with_its_stream(
    server: Scripted, client: Any, leaves: bool
) -> None:
    server.creates(stream())
    server.says("DELETE", f"/responses/{RESPONSE}", {"id": RESPONSE, "object": "response", "deleted": True})
    with traced() as trace:
        with client.responses.create(model="gpt-4o", input="?", background=True, stream=True) as events:
            for event in events:
                if event.type == "response.output_text.delta":
                    client.responses.delete(RESPONSE)
                    if leaves:
                        break
        span = the_one(trace)
    assert attribute(span, "runspan.run.unfinished") == ("deleted" if leaves else None)
    assert texts(span, "output") == ["It i" if leaves else "It is 42."]
    assert attribute(span, "gen_ai.usage.output_tokens") == (None if leaves else 30)
