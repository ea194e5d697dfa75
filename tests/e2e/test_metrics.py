"""Metrics of real runs: each run once, whatever becomes of it, and never on the app's own thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from tests.support.measuring import Measured
from tests.support.playing import ALL_FOUR, BOTH, MODEL, App, drive, playing
from tests.support.tracing import attribute, traced

import runspan
from runspan.runtime import metrics

each_client = pytest.mark.parametrize("kind", ALL_FOUR)
both_clients = pytest.mark.parametrize("kind", BOTH)
STATUS = "runspan.run.status"


@pytest.fixture
def measured() -> Iterator[Measured]:
    measured = Measured()
    yield measured
    measured.provider.shutdown()


def statuses(measured: Measured) -> dict[Any, float]:
    return measured.counts("runspan.runs", STATUS)


@each_client
def test_a_polled_run_is_measured_once_as_its_spans_say(kind: str, measured: Measured) -> None:
    async def case(app: App) -> None:
        await app.got(app.client.beta.assistants.retrieve(app.assistant_id))
        await app.got(app.runs.create_and_poll(**app.asked))
        await app.listed()
        await app.listed()

    with playing(kind) as app, traced(meter_provider=measured.provider) as found:
        app.play(case)
        run = found.run()
        port = app.server.port
    provider = "azure.ai.openai" if "Azure" in kind else "openai"
    base = {
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": MODEL,
        "gen_ai.agent.name": "Tutor",
        "server.address": "127.0.0.1",
        "server.port": port,
    }
    invoked = {**base, "gen_ai.response.model": MODEL, "gen_ai.operation.name": "invoke_agent"}
    (duration,) = measured.points("gen_ai.client.operation.duration")
    assert dict(duration.attributes) == invoked
    assert (duration.count, duration.sum) == (1, pytest.approx((run.end_time - run.start_time) / 1e9))
    tokens = {p.attributes["gen_ai.token.type"]: p for p in measured.points("gen_ai.client.token.usage")}
    assert {type_: (p.count, p.sum) for type_, p in tokens.items()} == {
        "input": (1, 1000),
        "output": (1, 300),
    }
    assert dict(tokens["input"].attributes) == {**invoked, "gen_ai.token.type": "input"}
    for name, key in (("queue_time", "queue_s"), ("detection_lag", "detection_lag_s")):
        (point,) = measured.points(f"runspan.run.{name}")
        assert dict(point.attributes) == base
        assert point.sum == pytest.approx(attribute(run, f"runspan.run.{key}"))
    (count,) = measured.points("runspan.runs")
    assert (count.value, dict(count.attributes)) == (1, {**base, STATUS: "completed"})
    (exemplar,) = duration.exemplars
    assert (exemplar.trace_id, exemplar.span_id) == (run.context.trace_id, run.context.span_id)
    assert measured.dropped() == {}


@both_clients
def test_a_streamed_run_is_measured_once(kind: str, measured: Measured) -> None:
    async def case(app: App) -> None:
        async with app.opened(app.runs.stream(**app.asked)) as stream:
            await app.got(stream.until_done())

    with playing(kind) as app, traced(meter_provider=measured.provider) as found:
        app.play(case)
        found.run()
    assert statuses(measured) == {"completed": 1}
    assert measured.counts("gen_ai.client.token.usage", "gen_ai.token.type") == {"input": 1, "output": 1}


def test_function_calls_are_measured_with_their_wait(measured: Measured) -> None:
    with (
        playing("OpenAI", "parallel_functions") as app,
        traced(meter_provider=measured.provider) as found,
        app.client,
    ):
        run = app.runs.create_and_poll(**app.asked)
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs = [{"tool_call_id": call.id, "output": "22 C"} for call in calls]
        app.runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=app.thread_id, tool_outputs=outputs)
        app.threads.messages.list(app.thread_id)
        span = found.run()
        names = sorted(attribute(s, "gen_ai.tool.name") for s in found.tools())
    (wait,) = measured.points("runspan.run.tool_wait")
    assert (wait.count, wait.sum) == (1, pytest.approx(attribute(span, "runspan.run.tool_wait_s")))
    found_calls = measured.counts("gen_ai.execute_tool.duration", "gen_ai.tool.name")
    assert sorted(name for name, count in found_calls.items() for _ in range(int(count))) == names
    assert len(names) == len(calls) >= 2


def test_a_tool_whose_span_is_the_apps_own_function_is_measured_too(measured: Measured) -> None:
    @runspan.observe(kind="tool")
    def function(**_: Any) -> str:
        return "22 C"

    with playing("OpenAI", "function") as app, traced(meter_provider=measured.provider) as found, app.client:
        run = app.runs.create_and_poll(**app.asked)
        (call,) = run.required_action.submit_tool_outputs.tool_calls
        assert call.function.name == "function"
        outputs = [{"tool_call_id": call.id, "output": function()}]
        app.runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=app.thread_id, tool_outputs=outputs)
        app.threads.messages.list(app.thread_id)
        found.run()
        assert len(found.tools()) == 1
    assert measured.counts("gen_ai.execute_tool.duration", "gen_ai.tool.name") == {"function": 1}


@pytest.mark.parametrize("raised", [None, ValueError, TimeoutError])
def test_a_tool_that_raised_is_measured_with_its_error(
    measured: Measured, raised: type[Exception] | None
) -> None:
    """The app answers the call all the same, so the API never hears of it."""

    @runspan.observe(kind="tool")
    def function(**_: Any) -> str:
        if raised is not None:
            raise raised("no such city")
        return "22 C"

    with playing("OpenAI", "function") as app, traced(meter_provider=measured.provider) as found, app.client:
        run = app.runs.create_and_poll(**app.asked)
        (call,) = run.required_action.submit_tool_outputs.tool_calls
        try:
            output = function()
        except Exception as error:
            output = f"failed: {error}"
        outputs = [{"tool_call_id": call.id, "output": output}]
        app.runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=app.thread_id, tool_outputs=outputs)
        app.threads.messages.list(app.thread_id)
        (tool,) = found.tools()
    name = None if raised is None else raised.__name__
    assert attribute(tool, "error.type") == name
    assert measured.counts("gen_ai.execute_tool.duration", "error.type") == {name: 1}


def test_a_post_that_fails_and_a_run_nobody_saw_end_are_counted(measured: Measured) -> None:
    with playing("OpenAI", "slow") as app, traced(meter_provider=measured.provider), app.client:
        with pytest.raises(openai.APIStatusError):
            app.runs.create(thread_id=app.thread_id, assistant_id="asst_nobody")
        app.runs.create(**app.asked)
        assert runspan.flush(10)
        assert statuses(measured) == {"not_started": 1}
        runspan.uninstrument()
    assert statuses(measured) == {"not_started": 1, "shutdown": 1}
    found = measured.counts("gen_ai.client.operation.duration", "runspan.run.unfinished")
    assert found == {None: 1, "shutdown": 1}


WAYS: dict[str, Any] = {
    "create": lambda runs, asked: runs.create(**asked),
    "stream": lambda runs, asked: runs.create(**asked, stream=True),
    "raw": lambda runs, asked: runs.with_raw_response.create(**asked),
    "raw stream": lambda runs, asked: runs.with_raw_response.create(**asked, stream=True),
}


@both_clients
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_sampled_out_is_counted_and_nothing_else(
    kind: str, way: str, measured: Measured
) -> None:
    async def case(app: App) -> None:
        await app.got(WAYS[way](app.runs, app.asked))
        await app.got(app.runs.list(app.thread_id))

    with playing(kind) as app, traced(ALWAYS_OFF, meter_provider=measured.provider) as found:
        app.play(case)
        assert found.spans() == []
        assert found.handle.stats().unrecorded == 1
        (point,) = measured.points("runspan.runs")
        assert point.value == 1
        assert dict(point.attributes) == {
            "gen_ai.provider.name": "openai",
            "server.address": "127.0.0.1",
            "server.port": app.server.port,
            STATUS: "unrecorded",
        }
    assert set(measured.metrics()) == {"runspan.runs", "runspan.dropped"}


def test_a_foreign_run_is_not_measured(measured: Measured) -> None:
    with playing("OpenAI") as app, app.client:
        run = app.runs.create_and_poll(**app.asked)
        with traced(meter_provider=measured.provider) as found:
            app.runs.retrieve(run.id, thread_id=app.thread_id)
            app.runs.list(app.thread_id)
            assert found.spans() == []
    assert statuses(measured) == {}


def test_nothing_is_recorded_on_the_apps_thread(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[str] = set()
    real = metrics._Recorder.record

    def record(*args: Any) -> None:
        threads.add(threading.current_thread().name)
        real(*args)

    monkeypatch.setattr(metrics._Recorder, "record", record)
    with playing("OpenAI") as app, traced(meter_provider=measured.provider) as found, app.client:
        app.runs.create_and_poll(**app.asked)
        found.run()
    assert threads == {"runspan-worker"}


def test_with_content_off_metrics_say_the_same_and_no_text(measured: Measured) -> None:
    def case(app: App) -> Any:
        async def whole(app: App) -> None:
            await app.ask("a text of the user")
            await app.got(app.runs.create_and_poll(**app.asked, instructions="a text of the owner"))
            await app.listed()

        return drive(whole(app), is_async=False)

    with (
        playing("OpenAI") as app,
        traced(meter_provider=measured.provider, capture_content=False) as found,
        app.client,
    ):
        case(app)
        found.run()
    assert statuses(measured) == {"completed": 1}
    data = measured.reader.get_metrics_data()
    assert data is not None
    assert "a text of" not in data.to_json()
