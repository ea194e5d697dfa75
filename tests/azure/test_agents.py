"""azure-ai-agents, its own helpers: one run, one run span, tokens once; and nothing that the app could notice."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

import runspan
from runspan.fake import FunctionCall, Message, Scenario, Tools, Usage
from runspan.fake.scenarios import Ending
from tests.azure.agents_app import KEY, KINDS, AgentsApp, agents_client, playing_agents
from tests.support.playing import ANSWER, QUESTION, here, spans_of_app_go_to
from tests.support.tracing import Traced, attribute, messages, traced

ASKING = Scenario(
    phases=(
        Tools((FunctionCall("get_weather", '{"city":"Paris"}'),), usage=Usage(100, 10)),
        Message(ANSWER, usage=Usage(200, 20)),
    )
)
WEATHER = "12 degrees"


def weather_of(app: AgentsApp, called: list[str], *, observed: bool = True) -> Callable[..., Any]:
    """A function for `enable_auto_function_calls`."""

    async def aget_weather(city: str) -> str:
        """:param city: the city"""
        called.append(city)
        return WEATHER

    def get_weather(city: str) -> str:
        """:param city: the city"""
        called.append(city)
        return WEATHER

    function: Any = aget_weather if app.is_async else get_weather
    function.__name__ = "get_weather"
    return runspan.observe(kind="tool")(function) if observed else function


async def processed(app: AgentsApp) -> Any:
    return await app.got(
        app.agents.runs.create_and_process(
            thread_id=app.thread_id, agent_id=app.assistant_id, polling_interval=0
        )
    )


async def processed_with_its_thread(app: AgentsApp) -> Any:
    thread = {"messages": [{"role": "user", "content": QUESTION}]}
    return await app.got(
        app.agents.create_thread_and_process_run(agent_id=app.assistant_id, thread=thread, polling_interval=0)
    )


async def streamed(app: AgentsApp) -> Any:
    made = await app.got(
        app.agents.runs.stream(
            thread_id=app.thread_id, agent_id=app.assistant_id, event_handler=app.new_handler()
        )
    )
    async with app.opened(made) as handler:
        await app.got(handler.until_done())


HELPERS = (processed, processed_with_its_thread, streamed)


def tokens(trace: Traced) -> list[int]:
    found = (attribute(span, "gen_ai.usage.input_tokens") for span in trace.spans())
    return [count for count in found if count is not None]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("observed", [True, False], ids=["observed", "plain"])
def test_functions_called_by_the_client_itself_are_tools_of_the_run(
    kind: str, helper: Callable[[AgentsApp], Any], observed: bool
) -> None:
    called: list[str] = []

    async def case(app: AgentsApp) -> None:
        app.agents.enable_auto_function_calls({weather_of(app, called, observed=observed)})
        with here("app"):
            await helper(app)

    with playing_agents(kind, ASKING) as app, traced(fetch="auto", settle_s=0.0) as trace:
        with spans_of_app_go_to(trace.provider):
            app.play(case)
        run, (tool,) = trace.run(), trace.tools()
        assert called == ["Paris"]
        assert tokens(trace) == [300]
        assert attribute(run, "runspan.run.status") == "completed"
        assert attribute(tool, "gen_ai.tool.call.result") == WEATHER
        assert tool.parent is not None
        assert tool.parent.span_id == run.context.span_id
        assert run.parent is not None


@pytest.mark.parametrize("helper", HELPERS)
def test_they_are_so_where_no_span_is_open(kind: str, helper: Callable[[AgentsApp], Any]) -> None:
    """The app holds the run, or the stream, that asked; nothing else says whose call it is."""

    async def case(app: AgentsApp) -> None:
        app.agents.enable_auto_function_calls({weather_of(app, [])})
        await helper(app)

    with playing_agents(kind, ASKING) as app, traced() as trace:
        app.play(case)
        trace.handle.uninstrument()
        (tool,) = trace.tools()
        assert tool.parent is not None
        assert tool.parent.span_id == trace.run().context.span_id


def test_a_function_called_after_the_app_let_go_of_the_run_is_not_its_tool(kind: str) -> None:
    async def asked(app: AgentsApp) -> None:
        await app.polled(await app.got(app.runs.create(**app.asked)))

    async def case(app: AgentsApp) -> None:
        await asked(app)
        gc.collect()
        await app.got(weather_of(app, [])(city="Paris"))

    with playing_agents(kind, ASKING) as app, traced() as trace:
        app.play(case)
        trace.handle.uninstrument()
        lost = [tool for tool in trace.tools() if tool.parent is None]
        assert len(lost) == 1


@pytest.mark.parametrize("helper", HELPERS)
def test_the_app_and_the_server_see_the_same_as_without_runspan(
    kind: str, helper: Callable[[AgentsApp], Any]
) -> None:
    def seen(is_traced: bool) -> Any:
        async def case(app: AgentsApp) -> Any:
            app.agents.enable_auto_function_calls({weather_of(app, [])})
            result = await helper(app)
            listed = [m.as_dict() for m in await _all(app, app.agents.messages.list(app.thread_id))]
            refused = await _raised(app, lambda: app.agents.runs.get(app.thread_id, "run_none"))
            return result and result.as_dict(), type(result), listed, type(refused), refused.message

        with playing_agents(kind, ASKING, seed=7) as app:
            if is_traced:
                with traced(calls="all") as trace:
                    told = app.play(case)
                    assert trace.spans()
            else:
                told = app.play(case)
            asked = [
                (r.method, r.path, r.query, r.json, r.status, sorted(r.headers)) for r in app.server.requests
            ]
        return told, asked

    assert seen(True) == seen(False)


async def _all(app: AgentsApp, items: Any) -> list[Any]:
    return await app.each(items)


async def _raised(app: AgentsApp, call: Callable[[], Any]) -> Any:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one, is what is compared
        await app.got(call())
    return caught.value


@pytest.mark.parametrize("is_streamed", [False, True], ids=["plain", "streamed"])
def test_a_refused_run_is_a_run_span_with_the_error_of_the_server(kind: str, is_streamed: bool) -> None:
    async def case(app: AgentsApp) -> None:
        make = app.agents.runs.stream if is_streamed else app.agents.runs.create
        error = await _raised(app, lambda: make(thread_id=app.thread_id, agent_id="asst_none"))
        assert type(error).__name__ == "ResourceNotFoundError"

    with playing_agents(kind) as app, traced() as trace:
        app.play(case)
        run = trace.run()
        assert attribute(run, "error.type") == "invalid_request_error"
        assert "No assistant found with id 'asst_none'" in str(run.status.description)


def test_a_server_that_is_not_there_is_an_error_too(kind: str) -> None:
    async def case(app: AgentsApp) -> None:
        await _raised(app, lambda: app.agents.runs.create(thread_id="t", agent_id="a", retry_total=0))

    with playing_agents(kind) as app, traced() as trace:
        app.client.agents = agents_client(kind, _Nowhere())  # type: ignore[arg-type]
        app.client.close = app.client.agents.close
        app.play(case)
        assert attribute(trace.run(), "error.type") == "ServiceRequestError"


class _Nowhere:
    azure_endpoint = "http://127.0.0.1:1"


def test_what_a_handler_raises_stands_on_the_run(kind: str) -> None:
    if kind == "aio":
        pytest.skip("an async stream of this client does not close what it reads when its block is left")

    async def case(app: AgentsApp) -> None:
        with pytest.raises(KeyError), app.agents.runs.stream(**_asked(app)) as handler:
            _fail_at_the_third(handler)

    with playing_agents(kind) as app, traced() as trace:
        app.play(case)
        trace.handle.uninstrument()
        run = trace.run()
        assert attribute(run, "runspan.run.unfinished") == "stream_closed"
        assert [dict(e.attributes or {})["exception.type"] for e in run.events if e.name == "exception"] == [
            "KeyError"
        ]


def test_a_stream_that_is_closed_while_another_error_is_handled_has_none(kind: str) -> None:
    if kind == "aio":
        pytest.skip("an async stream of this client does not close what it reads when its block is left")

    async def case(app: AgentsApp) -> None:
        made = app.agents.runs.stream(**_asked(app))
        next(made.event_handler)
        try:
            raise KeyError("of something else")
        except KeyError:
            made.response_iterator.close()

    with playing_agents(kind) as app, traced() as trace:
        app.play(case)
        trace.handle.uninstrument()
        assert "exception" not in [event.name for event in trace.run().events]


def _fail_at_the_third(events: Any) -> None:
    for number, _ in enumerate(events):
        if number == 2:
            raise KeyError("mine")


def _asked(app: AgentsApp) -> dict[str, Any]:
    return {"thread_id": app.thread_id, "agent_id": app.assistant_id}


def test_what_a_run_lacks_is_fetched_also_from_a_closed_client(kind: str) -> None:
    """With the credentials of the app's policies, and without spans of azure-core's own."""

    async def case(app: AgentsApp) -> None:
        await app.ask()
        await processed(app)

    with playing_agents(kind) as app, traced(fetch="auto") as trace:
        app.play(case)
        assert messages(trace.generation(), "output")[0]["parts"][0]["content"] == ANSWER
        (request,) = [r for r in app.server.requests if r.headers.get("x-runspan") == "fetch"]
        assert request.query["api-version"] == ["v1"]
        assert request.path == f"/threads/{app.thread_id}/messages"


def test_what_a_run_lacks_is_fetched_while_its_client_lives(kind: str) -> None:
    async def case(app: AgentsApp) -> None:
        await app.ask()
        await processed(app)
        await app.flushed()

    with playing_agents(kind) as app, traced(fetch="auto", settle_s=0.0) as trace:
        app.play(case)
        assert messages(trace.generation(), "output")[0]["parts"][0]["content"] == ANSWER
        assert trace.handle.stats().fetches == {"done": 1}


def test_keys_of_its_policies_are_masked(kind: str) -> None:
    refusal = runspan.fake.HttpError(401, f"Bad token {KEY}")

    async def case(app: AgentsApp) -> None:
        await _raised(app, lambda: app.agents.runs.create(**_asked(app)))

    with playing_agents(kind) as app, traced() as trace:
        app.server.inject(refusal, method="POST", path="*/runs")
        app.play(case)
        assert KEY not in str(trace.run().status.description)
        assert "<masked>" in str(trace.run().status.description)


def test_keys_of_its_policies_are_masked_in_what_is_said_of_a_run_later(kind: str) -> None:
    """No request of such a run was refused."""
    ending = Ending("failed", code="server_error", message=f"Bad token {KEY}")

    async def case(app: AgentsApp) -> None:
        await app.ask()
        assert (await processed(app)).status == "failed"

    with playing_agents(kind, Scenario(phases=(Message("No."),), ending=ending)) as app, traced() as trace:
        app.play(case)
        assert trace.run().status.description == "Bad token <masked>"


def test_the_identity_of_a_run_travels_in_its_metadata(kind: str) -> None:
    async def case(app: AgentsApp) -> Any:
        return await app.got(app.agents.runs.create(**_asked(app), metadata={"mine": "é"}))

    with playing_agents(kind) as app, traced(propagate_in_metadata=True):
        run = app.play(case)
        sent = next(r.json for r in app.server.requests if r.path.endswith("/runs"))
        assert sent["metadata"].keys() == {"mine", "runspan"}
        assert sent["metadata"]["mine"] == "é"
        assert run.metadata == sent["metadata"]


def test_polls_of_a_live_run_make_no_record(kind: str) -> None:
    async def case(app: AgentsApp) -> None:
        await app.polled(await app.got(app.runs.create(**app.asked)))

    with playing_agents(kind, "slow", poll_step_s=0.01) as app, traced() as trace:
        records: list[Any] = []
        results = trace.handle._azure_patch._results
        put = results._put
        results._put = lambda record: (records.append(record), put(record))
        app.play(case)
        trace.handle.uninstrument()
        polls = attribute(trace.run(), "runspan.run.polls")
        assert polls > 20
        assert len(records) < 8  # the start, and polls that show something new


def test_a_run_that_is_sampled_out_is_counted_and_otherwise_left_alone(kind: str) -> None:
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    async def case(app: AgentsApp) -> None:
        await processed(app)
        await streamed(app)

    with playing_agents(kind) as app, traced(sampler=ALWAYS_OFF) as trace:
        app.play(case)
        assert trace.spans() == []
        assert trace.handle.stats().unrecorded == 2


def test_nothing_of_azure_is_imported_before_the_app_imports_it() -> None:
    from tests.support.children import run as child

    script = (
        "import sys, runspan; runspan.instrument(); runspan.uninstrument(); print('azure' in sys.modules)"
    )
    assert child(script).check() == "False\n"


def test_a_client_made_before_instrument_is_traced() -> None:
    with playing_agents("sync") as app, traced() as trace:
        app.play(processed)
        trace.handle.uninstrument()
        assert attribute(trace.run(), "runspan.run.status") == "completed"
