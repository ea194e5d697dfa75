"""Streams of responses in the background: whole, cut and resumed, read as bytes, left early."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import openai
import pytest
from opentelemetry.trace import StatusCode

from runspan.fake.library import LONG
from runspan.fake.responses import SCENARIOS
from tests.apis.responses.apps import ASKED, created, of_responses, polled, responding, the_one, typed
from tests.support.playing import BOTH, App, here, spans_of_app_go_to
from tests.support.tracing import Traced, attribute, texts, traced

both = pytest.mark.parametrize("kind", BOTH)


def times(trace: Traced) -> None:
    """Everything lies inside the response's span."""
    span = the_one(trace)
    for child in trace.children(span):
        assert span.start_time <= child.start_time <= child.end_time <= span.end_time  # type: ignore[operator]


async def as_bytes(app: App) -> None:
    lines = app.client.responses.with_streaming_response.create(**ASKED, stream=True)
    async with app.opened(lines) as response:
        await app.each(response.iter_lines())


async def raw(app: App) -> None:
    response = await app.got(app.client.responses.with_raw_response.create(**ASKED, stream=True))
    await app.each(response.parse())


async def helped(app: App) -> None:
    asked = {name: value for name, value in ASKED.items() if name != "background"}
    manager = app.client.responses.stream(**asked, background=True)
    async with app.opened(manager) as stream:
        await app.each(stream)


@both
@pytest.mark.parametrize("way", [typed, as_bytes, raw, helped])
def test_a_stream_is_one_span_with_its_first_token_and_timed_tools(kind: str, way: Any) -> None:
    if way is helped and not hasattr(openai.OpenAI(api_key="none").responses, "stream"):
        pytest.skip("this openai has no responses.stream")
    with responding(kind, "web_search") as app, traced() as trace:
        app.play(way)
        span, (tool,) = the_one(trace), trace.tools()
    assert texts(span, "input") == ["What is 6 times 7?"]
    assert texts(span, "output") == ["Paris is sunny."]
    assert [event.name for event in span.events if event.name != "first_token"] == [
        "response.queued",
        "response.in_progress",
        "response.completed",
    ]
    assert attribute(span, "gen_ai.response.time_to_first_chunk") > 0
    assert attribute(span, "gen_ai.request.stream") is True
    assert attribute(span, "gen_ai.usage.output_tokens") > 0
    assert tool.parent is not None
    assert tool.parent.span_id == span.context.span_id
    assert attribute(tool, "runspan.tool.untimed") is None
    assert span.start_time <= tool.start_time <= tool.end_time <= span.end_time  # type: ignore[operator]


async def cut_and_resumed(app: App, cuts: int) -> Any:
    """Reads on behind the last event that it saw, as often as the connection breaks."""
    seen: list[Any] = []
    await read_to_the_cut(app, await created(app, stream=True), seen)
    for _ in range(cuts):
        after = {"stream": True, "starting_after": seen[-1].sequence_number}
        stream = await app.got(app.client.responses.retrieve(seen[0].response.id, **after))
        await read_to_the_cut(app, stream, seen)
    return seen


async def read_to_the_cut(app: App, stream: Any, seen: list[Any]) -> None:
    with suppress(Exception):  # of the client; where that is older, of its transport
        if app.is_async:
            async for event in stream:
                seen.append(event)  # noqa: PERF401 - those before the cut count
        else:
            for event in stream:
                seen.append(event)  # noqa: PERF402 - those before the cut count


@both
@pytest.mark.parametrize(("scenario", "cuts"), [("stream_cut", 1), ("stream_cut_twice", 2)])
def test_a_stream_that_is_cut_and_resumed_is_one_span(kind: str, scenario: str, cuts: int) -> None:
    with responding(kind, scenario) as app, traced() as trace:
        seen = app.play(lambda app: cut_and_resumed(app, cuts))
        span = the_one(trace)
        assert trace.handle.stats().unfinished == 0
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert (attribute(span, "runspan.run.status"), texts(span, "output")) == ("completed", [LONG])
    assert attribute(span, "gen_ai.usage.input_tokens") > 0
    assert span.status.status_code is StatusCode.UNSET


@both
def test_a_stream_that_is_left_early_may_be_polled_on(kind: str) -> None:
    async def left(app: App) -> None:
        stream = await created(app, stream=True)
        first = await app.next_of(stream.__aiter__() if app.is_async else stream)
        await app.got(stream.close())
        await polled(app, first.response)

    with responding(kind, "text") as app, traced() as trace:
        app.play(left)
        span = the_one(trace)
    assert (attribute(span, "runspan.run.status"), attribute(span, "runspan.run.polls") > 0) == (
        "completed",
        True,
    )


@both
def test_what_an_error_event_hides_is_looked_up(kind: str) -> None:
    """The client raises at the event, so the app never sees `response.failed`."""

    async def streamed(app: App) -> None:
        with pytest.raises(openai.APIError):
            await app.each(await created(app, stream=True))
        await app.flushed()

    with responding(kind, "error_event") as app, traced(fetch="auto", settle_s=0.0) as trace:
        app.play(streamed)
        span = the_one(trace)
    assert (attribute(span, "runspan.run.status"), attribute(span, "error.type")) == (
        "failed",
        "rate_limit_exceeded",
    )
    assert span.status.status_code is StatusCode.ERROR


@both
def test_a_response_that_is_over_can_be_streamed_again_and_adds_nothing(kind: str) -> None:
    async def again(app: App) -> None:
        events = await app.each(await created(app, stream=True))
        id_ = events[0].response.id
        for options in ({}, {"starting_after": 3}):
            replay = await app.got(app.client.responses.retrieve(id_, stream=True, **options))
            await app.each(replay)
        await polled(app, await app.got(app.client.responses.retrieve(id_)))

    with responding(kind, "text") as app, traced() as trace:
        app.play(again)
        assert len(trace.spans()) == 1


@both
def test_a_text_that_never_came_whole_is_put_together_from_its_streams(kind: str) -> None:
    async def cut(app: App) -> None:
        seen = await cut_and_resumed(app, 2)
        app.seen["text"] = "".join(e.delta for e in seen if e.type == "response.output_text.delta")

    scenario = SCENARIOS["stream_cut_twice"].but(cuts=(8, 6, 5))
    with responding(kind, scenario) as app, traced() as trace:
        app.play(cut)
        trace.handle.uninstrument()
        (span,) = [s for s in trace.exporter.get_finished_spans() if attribute(s, "runspan.run.id")]
    assert attribute(span, "runspan.run.unfinished") == "stream_closed"
    assert texts(span, "output") == [app.seen["text"]]
    assert len(app.seen["text"]) > 10


@both
def test_the_parent_is_where_it_was_created(kind: str) -> None:
    async def elsewhere(app: App) -> None:
        with here("create"):
            stream = await created(app, stream=True)
        with here("read"):
            await app.each(stream)

    with responding(kind, "text") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(elsewhere)
        spans = {span.name: span for span in trace.spans()}
        (span,) = of_responses(trace)
    assert span.parent is not None
    assert span.parent.span_id == spans["create"].context.span_id


def escaped(span: Any) -> list[dict[str, Any]]:
    """What an exception of the app's own left on the span."""
    found = [dict(event.attributes or {}) for event in span.events if event.name == "exception"]
    return [attributes for attributes in found if "exception.escaped" in attributes]


@both
@pytest.mark.parametrize("own", [True, False])
def test_what_the_app_raises_in_a_helper_s_block_is_noted(kind: str, own: bool) -> None:
    """What breaks the stream itself is the response's own error."""

    async def raises(app: App) -> None:
        with suppress(ZeroDivisionError, openai.APIError):
            async with app.opened(app.client.responses.stream(**ASKED)) as stream:
                first = await app.next_of(stream.__aiter__() if app.is_async else iter(stream))
                app.seen["id"] = first.response.id
                if own:
                    raise ZeroDivisionError("by the app")
                await app.each(stream)
        await polled(app, await app.got(app.client.responses.retrieve(app.seen["id"])))

    if not hasattr(openai.OpenAI(api_key="none").responses, "stream"):
        pytest.skip("this openai has no responses.stream")
    with responding(kind, "text" if own else "error_event") as app, traced() as trace:
        app.play(raises)
        span = the_one(trace)
    noted = {"exception.type": "ZeroDivisionError", "exception.message": "by the app"}
    assert escaped(span) == ([{**noted, "exception.escaped": True}] if own else [])
    assert attribute(span, "runspan.run.status") == ("completed" if own else "failed")
