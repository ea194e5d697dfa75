"""The app of the end-to-end tests on azure-ai-agents: what a case calls on the openai client is called on an AgentsClient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from runspan.fake import Scenario, Server, SimulatedClock, serve
from tests.support.playing import ANSWERED, INSTRUCTIONS, MODEL, App, client_of

KINDS = ("sync", "aio")
KEY = "key-of-the-agents-client"


class Credential:
    """Never asked: the policy that would is replaced."""

    def get_token(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nobody needs a token here")


def agents_client(kind: str, server: Server | None, **options: Any) -> Any:
    package = "azure.ai.agents" if kind == "sync" else "azure.ai.agents.aio"
    policies = import_module("azure.core.pipeline.policies")
    usual = {
        "endpoint": server and f"{server.azure_endpoint}/api/projects/tutors",
        "credential": Credential(),
        "authentication_policy": policies.HeadersPolicy({"Authorization": f"Bearer {KEY}"}),
    }
    return import_module(package).AgentsClient(**{**usual, **options})


@dataclass
class AgentsApp(App):
    """`kind`: sync or aio."""

    @property
    def is_async(self) -> bool:
        return self.kind == "aio"

    @property
    def agents(self) -> Any:
        """The AgentsClient itself."""
        return self.client.agents

    def new_handler(self) -> Any:
        models = import_module("azure.ai.agents.models")
        return (models.AsyncAgentEventHandler if self.is_async else models.AgentEventHandler)()


class Client:
    """The part of the openai client that cases use."""

    def __init__(self, app: AgentsApp, agents: Any) -> None:
        self.app, self.agents = app, agents
        self.close = agents.close
        steps = SimpleNamespace(
            list=lambda run_id, thread_id, extra_query=None: _Page(
                agents.run_steps.list(thread_id, run_id, params=extra_query)
            )
        )
        runs = SimpleNamespace(
            create=self._create,
            retrieve=lambda run_id, thread_id: agents.runs.get(thread_id, run_id),
            submit_tool_outputs=self._submit,
            cancel=lambda run_id, thread_id: agents.runs.cancel(thread_id, run_id),
            steps=steps,
        )
        messages = SimpleNamespace(
            create=lambda thread_id, **body: agents.messages.create(thread_id, body),
            list=lambda thread_id, **query: _Page(agents.messages.list(thread_id, **query)),
        )
        assistants = SimpleNamespace(
            update=lambda id_, **changes: agents.update_agent(id_, **changes), retrieve=agents.get_agent
        )
        self.beta = SimpleNamespace(
            assistants=assistants, threads=SimpleNamespace(runs=runs, messages=messages)
        )

    def _create(self, thread_id: str, assistant_id: str, *, stream: bool = False, **more: Any) -> Any:
        more = {"params" if name == "extra_query" else name: value for name, value in more.items()}
        if stream:
            return self._streamed(thread_id, assistant_id, **more)
        return self.agents.runs.create(thread_id, agent_id=assistant_id, **more)

    def _streamed(self, thread_id: str, assistant_id: str, **more: Any) -> Any:
        made = self.agents.runs.stream(thread_id, agent_id=assistant_id, **more)
        if not self.app.is_async:
            return _Events(made.event_handler)

        async def made_later() -> _AsyncEvents:
            return _AsyncEvents((await made).event_handler)

        return made_later()

    def _submit(self, run_id: str, thread_id: str, tool_outputs: Any, *, stream: bool = False) -> Any:
        if not stream:
            return self.agents.runs.submit_tool_outputs(thread_id, run_id, tool_outputs=tool_outputs)
        handler = self.app.new_handler()
        submitted = self.agents.runs.submit_tool_outputs_stream(
            thread_id, run_id, tool_outputs=tool_outputs, event_handler=handler
        )
        if not self.app.is_async:
            return _Events(handler)

        async def submitted_later() -> _AsyncEvents:
            await submitted
            return _AsyncEvents(handler)

        return submitted_later()


class _Page:
    """What a list gives, asked for when it is iterated or awaited."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __aiter__(self) -> Any:
        return self._items.__aiter__()

    def __await__(self) -> Any:
        return self._all().__await__()

    async def _all(self) -> Any:
        if not hasattr(self._items, "__aiter__"):
            return SimpleNamespace(data=list(self._items))
        return SimpleNamespace(data=[item async for item in self._items])


class _Events:
    """The events of a handler, with the names that the openai client gives them."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def __iter__(self) -> Iterator[Any]:
        return (SimpleNamespace(event=name, data=data) for name, data, _ in self._handler)


class _AsyncEvents(_Events):
    async def __aiter__(self) -> Any:  # type: ignore[misc]
        async for name, data, _ in self._handler:
            yield SimpleNamespace(event=name, data=data)


@contextmanager
def playing_agents(
    kind: str, scenario: Scenario | str = ANSWERED, poll_step_s: float | None = 1.0, **options: Any
) -> Iterator[AgentsApp]:
    """As `playing`."""
    seed = options.pop("seed", None)
    with serve(scenario, SimulatedClock(poll_step_s=poll_step_s), seed=seed) as server:
        app = AgentsApp(kind, None, server)
        app.client = Client(app, agents_client(kind, server, **options))
        with client_of("OpenAI", server) as setting_up:
            beta = setting_up.beta
            app.assistant_id = beta.assistants.create(model=MODEL, name="Tutor", instructions=INSTRUCTIONS).id
            app.thread_id = beta.threads.create().id
        yield app
