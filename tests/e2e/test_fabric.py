"""Fabric data agents: a subclass of `openai.OpenAI` that prepares its own requests, a deep `base_url`, tools in steps alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from tests.support.tracing import Traced, attribute, messages, traced

from runspan.fake import CodeInterpreter, HttpError, Logs, Message, Scenario, Server, Tools, Usage, serve

TOKEN = "token-of-the-user-in-the-browser"
PATH = "/v1/workspaces/ws-1/dataagents/agent-1/aiassistant/openai"
QUERY = "SELECT sum(amount) FROM sales"
ANSWERED = Scenario(
    phases=(
        Tools((CodeInterpreter(QUERY, (Logs("42"),)),), usage=Usage(100, 10)),
        Message("Sales are 42.", usage=Usage(200, 20)),
    )
)


class DataAgent(openai.OpenAI):
    """As the samples of Fabric write it: a token of the day and an id of its own in each request."""

    def __init__(self, address: str, **more: Any) -> None:
        super().__init__(
            api_key="not used",  # "" in the samples, which openai 3 refuses
            base_url=address,
            default_query={"api-version": "2024-05-01-preview"},
            **more,
        )

    def _prepare_options(self, options: Any) -> Any:
        headers = dict(options.headers) if isinstance(options.headers, dict) else {}
        options.headers = {**headers, "Authorization": f"Bearer {TOKEN}", "ActivityId": str(uuid.uuid4())}
        return super()._prepare_options(options)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(ANSWERED) as server:
        yield server


def data_agent(server: Server) -> DataAgent:
    http = openai.DefaultHttpxClient(verify=False)
    return DataAgent(f"{server.azure_endpoint}{PATH}", max_retries=0, http_client=http)


def ask(client: DataAgent, *, reads: bool = True) -> Any:
    """What the samples do: an assistant that is a placeholder, a thread, a run, its steps for the queries."""
    beta = client.beta
    assistant = beta.assistants.create(model="not used")
    thread = beta.threads.create()
    beta.threads.messages.create(thread.id, role="user", content="What are the sales?")
    run = beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    while run.status in ("queued", "in_progress"):
        run = beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    if reads:
        beta.threads.runs.steps.list(run.id, thread_id=thread.id)
        beta.threads.messages.list(thread.id)
    return run


def test_a_run_of_a_data_agent_is_one_run_with_the_queries_of_its_steps(server: Server) -> None:
    with data_agent(server) as client, traced() as trace:
        run = ask(client)
        assert run.tools == []
        (tool,) = trace.tools()
        assert attribute(tool, "gen_ai.tool.call.arguments") == QUERY
        assert tool.parent is not None
        assert tool.parent.span_id == trace.run().context.span_id
        assert tokens(trace) == (300, 30)
        assert messages(trace.generation(), "input")[0]["parts"][0]["content"] == "What are the sales?"


def tokens(trace: Traced) -> tuple[Any, Any]:
    keys = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
    (spans,) = [s for s in trace.spans() if attribute(s, keys[0]) is not None]
    return attribute(spans, keys[0]), attribute(spans, keys[1])


@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed"])
def test_our_own_requests_are_prepared_by_the_subclass_too(server: Server, is_closed: bool) -> None:
    with traced(fetch="auto", settle_s=0.0 if not is_closed else 60.0) as trace:
        client = data_agent(server)
        ask(client, reads=False)
        if is_closed:
            client.close()
        assert messages(trace.generation(), "output")[-1]["parts"][0]["content"] == "Sales are 42."
        client.close()
    asked = [r for r in server.requests if r.headers.get("x-runspan") == "fetch"]
    assert asked
    assert all(r.query["api-version"] == ["2024-05-01-preview"] for r in asked)
    assert len({r.headers["activityid"] for r in server.requests}) == len(server.requests)


def test_its_token_is_masked(server: Server) -> None:
    server.inject(HttpError(401, f"Token {TOKEN} has expired"), method="POST", path="*/runs")
    with data_agent(server) as client, traced() as trace:
        with pytest.raises(openai.AuthenticationError):
            ask(client)
        assert TOKEN not in str(trace.run().status.description)
