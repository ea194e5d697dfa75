"""`responses=`: which of them are traced. With "all", plain and streamed ones have the shape of those in the background."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import StatusCode

import runspan
from runspan.fake.responses import FunctionCall, Message, Scenario
from tests.apis.responses.apps import ASKED, created, of_responses, polled, responding, the_one
from tests.apis.responses.test_tools import ASKING, answered, plain_weather, weather
from tests.support.playing import BOTH, App, here, spans_of_app_go_to
from tests.support.tracing import attribute, messages, texts, traced

both = pytest.mark.parametrize("kind", BOTH)
SAID = "Good to see you. What shall we look at?"


async def plain(app: App) -> None:
    await created(app, background=False)


async def streamed(app: App) -> None:
    await app.each(await created(app, background=False, stream=True))


async def raw(app: App) -> None:
    asked = {**ASKED, "background": False}
    response = await app.got(app.client.responses.with_raw_response.create(**asked))
    await app.got(response.parse())


async def parsed(app: App) -> None:
    asked = {**ASKED, "background": False}
    await app.got(app.client.responses.parse(**asked))


@both
@pytest.mark.parametrize("way", [plain, streamed, raw, parsed])
def test_with_all_each_response_is_one_span(kind: str, way: Any) -> None:
    async def whole(app: App) -> None:
        if way is parsed and not hasattr(app.client.responses, "parse"):
            pytest.skip("this openai has no responses.parse")
        with here("turn"):
            await way(app)

    with responding(kind) as app, traced(responses="all") as trace, spans_of_app_go_to(trace.provider):
        app.play(whole)
        span = the_one(trace)
    assert (span.name, attribute(span, "runspan.run.status")) == ("chat gpt-4o", "completed")
    assert (texts(span, "input"), texts(span, "output")) == (["What is 6 times 7?"], [SAID])
    assert attribute(span, "gen_ai.usage.input_tokens") > 0
    assert attribute(span, "runspan.run.queue_s") == 0, "it was at work from the request on"
    assert span.start_time is not None
    assert span.end_time is not None
    assert attribute(span, "runspan.run.active_s") == pytest.approx((span.end_time - span.start_time) / 1e9)
    assert attribute(span, "runspan.request.background") in (False, None)
    assert (attribute(span, "gen_ai.response.time_to_first_chunk") is not None) == (way is streamed)


@both
@pytest.mark.parametrize("function", [plain_weather, weather])
def test_with_all_tools_work_as_in_the_background(kind: str, function: Any) -> None:
    with (
        responding(kind, ASKING) as app,
        traced(responses="all") as trace,
        spans_of_app_go_to(trace.provider),
    ):
        app.play(lambda app: answered(app, function, background=False))
        tools, (asked, answer) = trace.tools(), of_responses(trace)
    calls = [part["id"] for m in messages(asked, "output") for part in m["parts"]]
    assert [attribute(tool, "gen_ai.tool.call.id") for tool in tools] == calls
    assert texts(answer, "output") == ["22 and 18."]


@both
def test_with_all_a_chain_is_one_conversation(kind: str) -> None:
    async def chain(app: App) -> None:
        response = None
        for n in range(3):
            more = {"previous_response_id": response.id} if response else {}
            response = await created(app, input=str(n), background=n == 1, **more)
            response = await polled(app, response)

    with responding(kind) as app, traced(responses="all") as trace:
        app.play(chain)
        spans = of_responses(trace)
    first = attribute(spans[0], "runspan.run.id")
    assert [attribute(span, "gen_ai.conversation.id") for span in spans] == [first] * 3
    assert [attribute(span, "runspan.input.incomplete") for span in spans] == [None, True, True]


@both
@pytest.mark.parametrize("scenario", ["incomplete", "model_not_found", "http_server_error"])
def test_with_all_failures_are_told(kind: str, scenario: str) -> None:
    async def tried(app: App) -> None:
        try:
            await plain(app)
        except Exception as error:
            app.seen["error"] = error

    with responding(kind, scenario) as app, traced(responses="all") as trace:
        app.play(tried)
        (span,) = trace.spans()
    is_error = "error" in app.seen
    assert span.status.status_code is (StatusCode.ERROR if is_error else StatusCode.UNSET)
    assert attribute(span, "gen_ai.response.finish_reasons") == (("error",) if is_error else ("length",))


@both
def test_by_default_what_is_plain_or_streamed_is_left_to_others(kind: str) -> None:
    async def both_ways(app: App) -> None:
        with here("turn"):
            await plain(app)
            await streamed(app)

    with responding(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(both_ways)
        assert [span.name for span in trace.spans()] == ["turn"]


@both
def test_with_none_nothing_is_traced(kind: str) -> None:
    async def all_ways(app: App) -> None:
        with here("turn"):
            response = await polled(app, await created(app))
            await app.got(app.client.responses.delete(response.id))
            await plain(app)
            if hasattr(app.client, "conversations"):
                await app.got(app.client.conversations.create())

    with responding(kind) as app, traced(responses="none") as trace, spans_of_app_go_to(trace.provider):
        app.play(all_ways)
        assert [span.name for span in trace.spans()] == ["turn"]
        assert trace.handle.stats().started == 0


@both
@pytest.mark.parametrize("calls", ["auto", "all", "none"])
def test_conversations_have_call_spans_as_calls_says(kind: str, calls: Any) -> None:
    pytest.importorskip("openai.types.conversations", reason="this openai has no conversations")
    item = {"type": "message", "role": "user", "content": "Hello."}

    async def talk(app: App) -> None:
        conversations = app.client.conversations
        with here("turn"):
            made = await app.got(conversations.create())
            app.seen["id"] = made.id
            (added,) = (await app.got(conversations.items.create(made.id, items=[item]))).data
            await app.got(conversations.items.list(made.id))
            await app.got(conversations.items.retrieve(added.id, conversation_id=made.id))
            await app.got(conversations.retrieve(made.id))
            await app.got(conversations.items.delete(added.id, conversation_id=made.id))
            await app.got(conversations.delete(made.id))

    with responding(kind) as app, traced(calls=calls) as trace, spans_of_app_go_to(trace.provider):
        app.play(talk)
        spans = [span for span in trace.spans() if span.name != "turn"]
    writes = ["create_conversation", "create_items", "delete_item", "delete_conversation"]
    reads = ["list_items", "get_item", "get_conversation"]
    expected = {"auto": writes, "all": [*writes, *reads], "none": []}[calls]
    assert sorted(span.name for span in spans) == sorted(expected)
    assert {attribute(span, "gen_ai.conversation.id") for span in spans} <= {app.seen["id"]}


def test_what_is_no_way_of_tracing_them_is_refused() -> None:
    with pytest.raises(runspan.ConfigError, match="'background', 'all', 'none'"):
        runspan.instrument(responses="some")  # type: ignore[arg-type]


def test_a_first_text_is_told_where_a_plain_stream_is_cut() -> None:
    asking = Scenario((FunctionCall("f", "{}"), Message("Never.")), cuts=(4,))

    async def cut(app: App) -> None:
        with pytest.raises(Exception, match="onnection"):
            await streamed(app)

    with responding("OpenAI", asking) as app, traced(responses="all") as trace:
        app.play(cut)
        trace.handle.uninstrument()
        (span,) = trace.exporter.get_finished_spans()
    assert attribute(span, "runspan.run.unfinished") == "stream_closed"
    assert span.status.status_code is StatusCode.ERROR
