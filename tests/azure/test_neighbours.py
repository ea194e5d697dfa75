"""azure-ai-agents beside what else is in the process: its own instrumentor, azure-core's spans, other clients of azure-core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from runspan.fake import serve
from tests.azure.agents_app import KINDS, AgentsApp, playing_agents
from tests.azure.test_agents import processed
from tests.support.tracing import attribute, traced


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def their_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client's own instrumentor, and azure-core's spans."""
    pytest.importorskip("azure.core.tracing.ext.opentelemetry_span")
    settings = import_module("azure.core.settings").settings
    settings.tracing_implementation = "opentelemetry"
    instrumentor = import_module("azure.ai.agents.telemetry").AIAgentsInstrumentor()
    instrumentor.instrument()
    yield instrumentor
    instrumentor.uninstrument()
    settings.tracing_implementation.unset_value()


@pytest.mark.parametrize("bypass", [False, True])
def test_their_own_instrumentor_is_named_and_ours_counts_tokens_once(
    kind: str, bypass: bool, their_own: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def case(app: AgentsApp) -> None:
        await app.ask()
        await processed(app)

    caplog.set_level(logging.INFO, "runspan")
    with (
        playing_agents(kind) as app,
        traced(bypass_other_instrumentations=bypass, fetch="auto", settle_s=0.0) as trace,
    ):
        app.play(case)
        ours = [s for s in trace.spans() if attribute(s, "gen_ai.usage.input_tokens")]
        assert [span.name for span in ours] == ["chat gpt-4o-mini"]
    (line,) = [line for line in caplog.messages if "AIAgentsInstrumentor" in line]
    assert ("create_and_process on two spans" in line) is not bypass
    runs = import_module(f"azure.ai.agents{'.aio' if kind == 'aio' else ''}.operations").RunsOperations
    assert hasattr(runs.create_and_process, "_original"), "theirs is back"


def test_their_own_instrumentor_stays_off_if_it_was_turned_off_before_us(kind: str, their_own: Any) -> None:
    operations = import_module(f"azure.ai.agents{'.aio' if kind == 'aio' else ''}.operations")
    with playing_agents(kind) as app, traced(bypass_other_instrumentations=True) as trace:
        app.play(processed)
        assert asyncio.iscoroutinefunction(operations.RunsOperations.create) is (kind == "aio")
        their_own.uninstrument()
        trace.handle.uninstrument()
        assert not hasattr(operations.RunsOperations.create, "_original")


def test_other_azure_clients_are_left_alone(kind: str) -> None:
    """Chats of Azure Communication Services have threads and messages, too."""
    with serve("text") as server, traced(calls="all") as trace:
        core = import_module("azure.core.pipeline")
        policies = import_module("azure.core.pipeline.policies")
        transports = import_module("azure.core.pipeline.transport")
        request = import_module("azure.core.rest").HttpRequest("POST", f"{server.base_url}/threads", json={})
        agent = policies.UserAgentPolicy(sdk_moniker="communication-chat/1.3")
        if kind == "sync":
            with core.Pipeline(transports.RequestsTransport(), [agent]) as pipeline:
                assert pipeline.run(request).http_response.status_code == 200
        else:

            async def asked() -> None:
                async with core.AsyncPipeline(transports.AioHttpTransport(), [agent]) as pipeline:
                    assert (await pipeline.run(request)).http_response.status_code == 200

            asyncio.run(asked())
        assert trace.spans() == []


def test_uninstrument_puts_back_the_very_same_methods() -> None:
    core = import_module("azure.core.pipeline")
    before = vars(core.Pipeline)["run"], vars(core.AsyncPipeline)["run"]
    with traced():
        assert vars(core.Pipeline)["run"] is not before[0]
        assert vars(core.AsyncPipeline)["run"] is not before[1]
    assert (vars(core.Pipeline)["run"], vars(core.AsyncPipeline)["run"]) == before
