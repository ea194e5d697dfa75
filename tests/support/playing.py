"""One small app of an end-to-end test, written once and played with a sync or an async client.

    def test_...(kind: str) -> None:
        with playing(kind, "text") as app:
            app.play(my_case)          # async def my_case(app: App) -> None

In a case, `await app.got(call)` is the call's result with either client; with a sync client no event loop runs at all.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import openai
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider

import runspan
from runspan.fake import Message, Scenario, Server, SimulatedClock, Usage, serve

T = TypeVar("T")
Case = Callable[["App"], Coroutine[Any, Any, Any]]

BOTH = ("OpenAI", "AsyncOpenAI")
ALL_FOUR = (*BOTH, "AzureOpenAI", "AsyncAzureOpenAI")

INSTRUCTIONS = "You are a tutor."
QUESTION = "What is 6 times 7?"
ANSWER = "It is 42."
MODEL = "gpt-4o-mini"
USAGE = Usage(1000, 300, cached_tokens=768, reasoning_tokens=256)
# Queued at the first poll, in progress at the second, over at the third.
ANSWERED = Scenario(phases=(Message(ANSWER, seconds=1.0, usage=USAGE),), queue_s=1.5, poll_after_ms=1)


def client_of(kind: str, server: Server, **options: Any) -> Any:
    """A client of that class for the fake; its http client reads no certificates, which takes 40 ms."""
    http = openai.DefaultAsyncHttpxClient if kind.startswith("Async") else openai.DefaultHttpxClient
    common = {"api_key": "sk-none", "max_retries": 0, "http_client": http(verify=False), **options}
    if "Azure" in kind:
        common = {"azure_endpoint": server.azure_endpoint, "api_version": "2024-05-01-preview", **common}
    else:
        common = {"base_url": server.base_url, **common}
    return getattr(openai, kind)(**common)


@dataclass
class App:
    """Its assistant and its empty thread were made before anybody traced."""

    kind: str
    client: Any
    server: Server
    assistant_id: str = ""
    thread_id: str = ""
    seen: dict[str, Any] = field(default_factory=dict)  # what a case leaves for its test

    @property
    def is_async(self) -> bool:
        return self.kind.startswith("Async")

    @property
    def threads(self) -> Any:
        return self.client.beta.threads

    @property
    def runs(self) -> Any:
        return self.client.beta.threads.runs

    @property
    def asked(self) -> dict[str, Any]:
        """The arguments of every run."""
        return {"thread_id": self.thread_id, "assistant_id": self.assistant_id}

    def play(self, case: Case) -> Any:
        """To its end, and close the client: an async one must be closed on its loop."""
        return drive(self._whole(case), is_async=self.is_async)

    async def _whole(self, case: Case) -> Any:
        try:
            return await case(self)
        finally:
            await self.got(self.client.close())

    async def got(self, value: Any) -> Any:
        return await value if inspect.isawaitable(value) else value

    async def ask(self, question: str = QUESTION, **options: Any) -> Any:
        thread_id = options.pop("thread_id", self.thread_id)
        return await self.got(
            self.threads.messages.create(thread_id, role="user", content=question, **options)
        )

    async def started(self, **options: Any) -> Any:
        """`runs.create` inside the span "create"."""
        with here("create"):
            return await self.got(self.runs.create(**{**self.asked, **options}))

    async def flushed(self) -> None:
        """`runspan.flush()`; from a thread where a loop runs, which it would block."""
        done = await asyncio.to_thread(runspan.flush, 10) if self.is_async else runspan.flush(10)
        assert done

    def requests_of_runspan(self) -> list[str]:
        return [
            f"{r.method} {r.path.replace(self.thread_id, 'THREAD')}"
            for r in self.server.requests
            if r.headers.get("x-runspan") == "fetch"
        ]

    async def polled(self, run: Any, span: str = "poll") -> Any:
        """Hand-written polling, until something has to be done or nothing any more."""
        while run.status in ("queued", "in_progress", "cancelling"):
            with here(span):
                run = await self.got(self.runs.retrieve(run.id, thread_id=run.thread_id))
        return run

    async def listed(self, **options: Any) -> list[Any]:
        page = await self.got(self.threads.messages.list(options.pop("thread_id", self.thread_id), **options))
        return list(page.data)

    @asynccontextmanager
    async def opened(self, manager: Any) -> AsyncIterator[Any]:
        """`with` or `async with`."""
        if hasattr(manager, "__aenter__"):
            async with manager as entered:
                yield entered
        else:
            with manager as entered:
                yield entered

    async def each(self, stream: Any) -> list[Any]:
        """All that the stream yields."""
        if hasattr(stream, "__aiter__"):
            return [one async for one in stream]
        return list(stream)

    async def next_of(self, stream: Any) -> Any:
        return await stream.__anext__() if hasattr(stream, "__anext__") else next(stream)

    def handler(self, calls_super: bool = True, **callbacks: Callable[..., Any]) -> Any:
        """An event handler of the client's kind; each callback is an `async def` of (handler, *what it is told)."""
        base = openai.AsyncAssistantEventHandler if self.is_async else openai.AssistantEventHandler
        return type(
            "Handler", (base,), {n: self._method(base, n, c, calls_super) for n, c in callbacks.items()}
        )()

    def _method(self, base: type, name: str, callback: Callable[..., Any], calls_super: bool) -> Any:
        if self.is_async:

            async def told(handler: Any, *what: Any) -> None:
                if calls_super:
                    await getattr(base, name)(handler, *what)
                await callback(handler, *what)

            return told

        def told_sync(handler: Any, *what: Any) -> None:
            if calls_super:
                getattr(base, name)(handler, *what)
            drive(callback(handler, *what), is_async=False)

        return told_sync


def drive(coroutine: Coroutine[Any, Any, T], *, is_async: bool) -> T:
    """Run it; one that uses sync calls alone never waits, and needs no loop."""
    if is_async:
        return asyncio.run(coroutine)
    try:
        coroutine.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError("a sync case waited for something")


@contextmanager
def playing(
    kind: str,
    scenario: Scenario | str = ANSWERED,
    poll_step_s: float | None = 1.0,
    seed: int | None = None,
    responses: Any = "default",
    **options: Any,
) -> Iterator[App]:
    """The app, its server on simulated time, an assistant and an empty thread. `seed`: ids repeat."""
    with serve(scenario, SimulatedClock(poll_step_s=poll_step_s), seed=seed, responses=responses) as server:
        app = App(kind, client_of(kind, server, **options), server)
        with client_of("OpenAI", server) as setting_up:
            beta = setting_up.beta
            app.assistant_id = beta.assistants.create(model=MODEL, name="Tutor", instructions=INSTRUCTIONS).id
            app.thread_id = beta.threads.create().id
        yield app


@contextmanager
def here(name: str) -> Iterator[Any]:
    """A span of the app's own, in the provider of `traced()` that is on."""
    provider = _provider.get("now")
    tracer = (provider or trace.get_tracer_provider()).get_tracer("app")
    with tracer.start_as_current_span(name) as span:
        yield span


_provider: dict[str, TracerProvider] = {}


@contextmanager
def spans_of_app_go_to(provider: TracerProvider) -> Iterator[None]:
    """Where `here()` puts its spans."""
    _provider["now"] = provider
    token = context.attach(context.Context())
    try:
        yield
    finally:
        context.detach(token)
        del _provider["now"]
