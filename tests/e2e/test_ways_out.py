"""Issue 2, item 3: however a run ends, or the app's interest in it, the trace says so and the app notices nothing."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import openai
import pytest
from tests.support.playing import BOTH, App, here, playing, spans_of_app_go_to
from tests.support.told import LOST, WHOLE, told
from tests.support.tracing import messages, traced
from ways_tools import ASKING

from runspan.fake import SCENARIOS

both_clients = pytest.mark.parametrize("kind", BOTH)

LONG = SCENARIOS["stream_cut"].phases[0].content  # type: ignore[union-attr]
FAILING: Mapping[str, Any] = {"status": "failed", "finish": ("error",)}
CUT: Mapping[str, Any] = {"status": "incomplete", "output": [SCENARIOS["incomplete"].phases[0].content]}  # type: ignore[union-attr]

# scenario -> in what the trace differs from that of an answered run, beside its usage
ENDINGS: Mapping[str, Mapping[str, Any]] = {
    "text": {"output": [SCENARIOS["text"].phases[0].content]},  # type: ignore[union-attr]
    "failed": {**FAILING, "error": "server_error", "output": ["This will not come to"]},
    "rate_limited": {**FAILING, "error": "rate_limit_exceeded", "output": []},
    "expired": {"status": "expired", "finish": ("error",), "error": "expired", "output": []},
    "cancelled": {"status": "cancelled", "finish": ("error",), "output": ["It was a dark and"]},
    "incomplete": {**CUT, "finish": ("length",)},
    "incomplete_prompt": {**CUT, "finish": ("length",)},
    "incomplete_event": {**CUT, "finish": ("length",)},
    "content_filter": {**CUT, "finish": ("content_filter",)},
}


def _plain(run: Any) -> dict[str, Any]:
    """Old clients know no `thread.run.incomplete` and give its data as a dict."""
    found: dict[str, Any] = run if isinstance(run, dict) else run.model_dump()
    return found


async def _poll_to_the_end(app: App) -> None:
    with here("create"):
        run = await app.got(app.runs.create_and_poll(**app.asked, poll_interval_ms=1))
    app.seen["run"] = run
    await app.listed()


async def _stream_to_the_end(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            app.seen["run"] = (await app.each(stream))[-1].data


@both_clients
@pytest.mark.parametrize("look", [_poll_to_the_end, _stream_to_the_end])
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_last_status_the_api_gave_is_the_traces(ending: str, look: Any, kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await look(app)

    with playing(kind, ending) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        usage = _plain(app.seen["run"])["usage"]
        found = told(trace)
        assert {**found, "polls": None} == {
            **WHOLE,
            "polls": None,
            "usage": (usage["prompt_tokens"], usage["completion_tokens"], 0, 0),
            **ENDINGS[ending],
        }


# ---------------------------------------------------------------- streams that do not see the end


async def _until_in_progress(app: App, stream: Any) -> None:
    while (await app.next_of(stream)).event != "thread.run.in_progress":
        pass


async def _closed_early(app: App) -> None:
    with here("create"):
        stream = await app.got(app.runs.create(**app.asked, stream=True))
    await _until_in_progress(app, stream)
    await app.got(stream.close())


async def _left_early(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            await _until_in_progress(app, stream)


async def _broken_out_of(app: App) -> None:
    with here("create"):
        stream = await app.got(app.runs.create(**app.asked, stream=True))
    async with app.opened(stream):
        if app.is_async:
            async for event in stream:
                if event.event == "thread.run.in_progress":
                    break
        else:
            for event in stream:
                if event.event == "thread.run.in_progress":
                    break


async def _raw_and_left(app: App) -> None:
    with here("create"):
        async with app.opened(app.runs.with_streaming_response.create(**app.asked, stream=True)) as response:
            await _until_in_progress(app, await app.got(response.parse()))


@both_clients
@pytest.mark.parametrize("leave", [_closed_early, _left_early, _broken_out_of, _raw_and_left])
def test_a_run_whose_stream_was_left_goes_out_as_unfinished(leave: Any, kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await leave(app)

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert trace.runs() == [], "a closed stream is not an ended run"
        trace.handle.uninstrument()
        assert told(trace) == LOST


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@both_clients
def test_a_stream_abandoned_to_the_garbage_collector_counts_as_closed(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        with here("create"):
            stream = await app.got(app.runs.create(**app.asked, stream=True))
        await _until_in_progress(app, stream)
        del stream
        gc.collect()

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        trace.handle.uninstrument()
        assert told(trace) == LOST


@both_clients
@pytest.mark.parametrize("name", ["on_event", "on_text_delta", "on_text_created"])
def test_an_exception_of_the_apps_handler_reaches_the_app_untouched_and_is_recorded(
    name: str, kind: str
) -> None:
    error = RuntimeError("the app's own")

    async def raise_it(_: Any, *what: Any) -> None:
        if name != "on_event" or what[0].event == "thread.message.delta":
            raise error

    async def case(app: App) -> None:
        await app.ask()
        with here("create"), pytest.raises(RuntimeError) as raised:
            async with app.opened(
                app.runs.stream(**app.asked, event_handler=app.handler(True, **{name: raise_it}))
            ) as stream:
                await app.got(stream.until_done())
        assert raised.value is error
        assert error.__cause__ is None

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        trace.handle.uninstrument()
        assert {**told(trace), "output": []} == {**LOST, "output": []}
        assert [m.get("incomplete") for m in messages(trace.generation(), "output")] == [True]
        events = [e for e in trace.run().events if e.name == "exception"]
        assert [dict(e.attributes or {}) for e in events] == [
            {
                "exception.type": "RuntimeError",
                "exception.message": "the app's own",
                "exception.escaped": True,
            }
        ]


@both_clients
def test_an_exception_inside_a_nested_submission_is_recorded_once(kind: str) -> None:
    from ways_tools import outputs

    async def raise_it(_: Any, __: Any) -> None:
        raise RuntimeError("inside")

    async def submit(_: Any, event: Any) -> None:
        if event.event == "thread.run.requires_action":
            manager = app.runs.submit_tool_outputs_stream(
                **outputs(event.data), event_handler=app.handler(on_text_created=raise_it)
            )
            async with app.opened(manager) as stream:
                await app.got(stream.until_done())

    async def case(app: App) -> None:
        with pytest.raises(RuntimeError):
            async with app.opened(
                app.runs.stream(**app.asked, event_handler=app.handler(on_event=submit))
            ) as stream:
                await app.got(stream.until_done())

    with playing(kind, ASKING) as app, traced() as trace:
        app.play(case)
        trace.handle.uninstrument()
        assert [e.name for e in trace.run().events].count("exception") == 1


@both_clients
def test_the_partial_text_of_a_cut_stream_goes_out_marked_incomplete(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        with here("create"), pytest.raises(Exception):  # noqa: B017, PT011 - of httpx or httpx2, by version
            await app.each(await app.got(app.runs.create(**app.asked, stream=True)))

    with playing(kind, "stream_cut") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        trace.handle.uninstrument()
        found = told(trace)
        (message,) = messages(trace.generation(), "output")
        assert message["incomplete"] is True
        assert LONG.startswith(message["parts"][0]["content"])  # type: ignore[union-attr]
        assert message["parts"][0]["content"]
        assert (found["status"], found["unfinished"], found["usage"]) == (
            "in_progress",
            "stream_closed",
            None,
        )
        assert found["error"] in ("RemoteProtocolError", "APIConnectionError")


@both_clients
def test_an_error_event_in_the_middle_of_a_stream_is_the_runs_error_until_its_end_is_known(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        with here("create"), pytest.raises(openai.APIError):
            await app.each(await app.got(app.runs.create(**app.asked, stream=True)))

    with playing(kind, "stream_error") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        trace.handle.uninstrument()
        found = told(trace)
        assert (found["status"], found["unfinished"], found["error"]) == (
            "in_progress",
            "stream_closed",
            "server_error",
        )
