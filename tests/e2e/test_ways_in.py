"""Issue 2, item 2: by whatever way an app starts a run, there is one run span and one generation span, and they say it all."""

from __future__ import annotations

from typing import Any

import pytest
import ways_streamed  # noqa: F401 - fills the table
from tests.support.playing import ALL_FOUR, ANSWERED, BOTH, App, here, playing, spans_of_app_go_to
from tests.support.told import WHOLE, all_told, told
from tests.support.tracing import traced
from ways import WAYS, Way, create_then_hand_written_polling
from ways_raw import RAW_WAYS
from ways_tools import ASKING, TOOL_WAYS

from runspan.fake import Scenario
from runspan.runtime import worker

every_client = pytest.mark.parametrize("kind", ALL_FOUR)
both_clients = pytest.mark.parametrize("kind", BOTH)


def every(ways: list[Way]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", ways, ids=lambda way: way.name)


def play(kind: str, way: Way, scenario: Scenario) -> dict[str, Any]:
    async def case(app: App) -> None:
        with here("the app's work"):
            await app.ask()
            await way.play(app)

    with playing(kind, scenario) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        return told(trace)


@both_clients
@every(WAYS)
def test_a_run_is_one_run_span_and_one_generation_span_that_say_it_all(way: Way, kind: str) -> None:
    assert play(kind, way, ANSWERED) == {**WHOLE, **way.told}


@both_clients
@every(TOOL_WAYS)
def test_a_run_that_asks_for_a_function_is_still_one_run_span(way: Way, kind: str) -> None:
    assert play(kind, way, ASKING) == {**WHOLE, **way.told}


HASTY = [w for w in WAYS if "that_is_over" in w.name or w.name == "create_then_hand_written_polling"]


@both_clients
@every(HASTY)
def test_the_app_may_be_faster_than_our_worker(way: Way, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that is the app's last look at its run comes before the worker has read the run's beginning."""
    monkeypatch.setattr(worker, "TICK_S", 0.3)
    assert play(kind, way, ANSWERED) == {**WHOLE, **way.told}


AZURE = [w for w in WAYS if w.name in ("create_and_poll", "stream_iterated", "create_and_run_stream")]


@pytest.mark.parametrize("kind", [k for k in ALL_FOUR if "Azure" in k])
@every([*AZURE, RAW_WAYS[0], RAW_WAYS[-1]])
def test_azure_clients_are_traced_alike(way: Way, kind: str) -> None:
    assert play(kind, way, ANSWERED) == {**WHOLE, **way.told}


@every_client
def test_azure_is_named_as_the_provider_and_only_azure(kind: str) -> None:
    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(create_then_hand_written_polling)
        names = {dict(span.attributes or {}).get("gen_ai.provider.name") for span in trace.runs()}
        assert names == {"azure.ai.openai" if "Azure" in kind else "openai"}


# ---------------------------------------------------------------- made before instrument()


def _client(app: App) -> Any:
    return app.runs.create, app.runs.retrieve, app.threads.messages.list


def _resource(app: App) -> Any:
    runs, messages = app.client.beta.threads.runs, app.client.beta.threads.messages
    return runs.create, runs.retrieve, messages.list


def _raw_wrapper(app: App) -> Any:
    runs, messages = app.runs.with_raw_response, app.threads.messages.with_raw_response
    return runs.create, runs.retrieve, messages.list


def _copy(app: App) -> Any:
    copy = app.client.with_options(timeout=5, max_retries=0).beta.threads
    return copy.runs.create, copy.runs.retrieve, copy.messages.list


@both_clients
@pytest.mark.parametrize("made", [_client, _resource, _raw_wrapper, _copy])
def test_bound_methods_made_before_instrument_are_traced(made: Any, kind: str) -> None:
    with playing(kind) as app:
        create, retrieve, list_messages = made(app)

        async def case(app: App) -> None:
            await app.ask()
            with here("create"):
                run = _parsed(await app.got(create(**app.asked)))
            while run.status in ("queued", "in_progress"):
                run = _parsed(await app.got(retrieve(run.id, thread_id=app.thread_id)))
            await app.got(list_messages(app.thread_id))

        with traced() as trace, spans_of_app_go_to(trace.provider):
            app.play(case)
            assert told(trace) == WHOLE


def _parsed(result: Any) -> Any:
    return result.parse() if hasattr(result, "http_response") else result


@both_clients
def test_runs_of_copies_of_a_client_are_runs_of_one_server(kind: str) -> None:
    """Started by one copy, polled by another, listed by a third: still one run."""

    async def case(app: App) -> None:
        await app.ask()
        copies = [app.client.with_options(timeout=t) for t in (5, 6, 7)]
        with here("create"):
            run = await app.got(copies[0].beta.threads.runs.create(**app.asked))
        await app.got(copies[1].beta.threads.runs.poll(run.id, app.thread_id))
        await app.got(copies[2].beta.threads.messages.list(app.thread_id))

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert told(trace) == WHOLE


@both_clients
def test_after_uninstrument_nothing_is_traced(kind: str) -> None:
    with playing(kind) as app:
        with traced() as trace:
            pass
        app.play(create_then_hand_written_polling)
        assert trace.exporter.get_finished_spans() == ()


@both_clients
def test_three_runs_in_a_row_are_three_run_spans(kind: str) -> None:
    async def case(app: App) -> None:
        for _ in range(3):
            await create_then_hand_written_polling(app)

    with playing(kind) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        assert [(t["status"], t["polls"], t["output"]) for t in all_told(trace)] == [
            ("completed", 3, ["It is 42."])
        ] * 3
