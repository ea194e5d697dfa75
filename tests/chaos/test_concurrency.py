"""Many threads, tasks, loops and clients at once: every run under its own parent, once, and nothing left over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

import runspan
from runspan.fake import Server
from tests.chaos import figures
from tests.chaos.counting import Counted, counting, counting_provider
from tests.support.playing import client_of

Asked = dict[str, str]  # name of the app's own span -> id of the run that it made


def assistant(server: Server) -> str:
    with client_of("OpenAI", server) as client:
        id_: str = client.beta.assistants.create(model="gpt-4o-mini", name="Tutor").id
    return id_


def ask(client: Any, assistant_id: str, name: str, asked: Asked) -> None:
    with runspan.span(name):
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": name}]}
        )
        client.beta.threads.messages.list(run.thread_id)
    assert run.status == "completed"
    asked[name] = run.id


async def aask(client: Any, assistant_id: str, name: str, asked: Asked) -> None:
    with runspan.span(name):
        run = await client.beta.threads.create_and_run_poll(
            assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": name}]}
        )
        await client.beta.threads.messages.list(run.thread_id)
    assert run.status == "completed"
    asked[name] = run.id


def check(counted: Counted, asked: Asked) -> None:
    """Each run has one span, under the span of the code that asked for it, and says what that code said."""
    runs, by_id = counted.runs_by_id(), {s.context.span_id: s for s in counted.ended if s.context}
    assert runs.keys() == set(asked.values())
    generations = {s.parent.span_id: s for s in counted.of("chat") if s.parent}
    assert len(generations) == len(counted.of("chat")) == len(runs)
    for name, run_id in asked.items():
        run = runs[run_id]
        assert parent(run, by_id).name == name
        assert run.context is not None
        assert name in str((generations[run.context.span_id].attributes or {})["gen_ai.input.messages"])


def parent(span: ReadableSpan, by_id: dict[int, ReadableSpan]) -> ReadableSpan:
    assert span.parent is not None
    return by_id[span.parent.span_id]


def test_64_threads_on_one_client(server: Server, many: int) -> None:
    asked: Asked = {}
    with closing(client_of("OpenAI", server)) as client, counting() as (_, counted):
        assistant_id = assistant(server)
        with ThreadPoolExecutor(64) as pool:
            for n in range(64 * many):
                pool.submit(ask, client, assistant_id, f"turn {n}", asked)
    assert len(asked) == 64 * many
    check(counted, asked)


def test_tasks_by_the_hundred_on_one_client(server: Server, many: int) -> None:
    asked: Asked = {}

    async def main() -> None:
        async with client_of("AsyncOpenAI", server, timeout=120) as client:
            await asyncio.gather(*(aask(client, assistant_id, f"turn {n}", asked) for n in range(200 * many)))

    with counting() as (_, counted):
        assistant_id = assistant(server)
        asyncio.run(main())
    assert len(asked) == 200 * many
    check(counted, asked)


def test_several_loops_and_clients_beside_threads(server: Server, many: int) -> None:
    asked: Asked = {}

    async def loop(name: str) -> None:
        async with client_of("AsyncOpenAI", server) as client:
            await asyncio.gather(*(aask(client, assistant_id, f"{name}.{n}", asked) for n in range(8 * many)))

    def thread(name: str) -> None:
        with client_of("OpenAI", server) as client:
            for n in range(4 * many):
                ask(client, assistant_id, f"{name}.{n}", asked)

    with counting() as (_, counted):
        assistant_id = assistant(server)
        jobs: list[Callable[[], None]] = [
            *(lambda n=n: asyncio.run(loop(f"loop {n}")) for n in range(4)),  # type: ignore[misc]
            *(lambda n=n: thread(f"thread {n}") for n in range(4)),  # type: ignore[misc]
        ]
        in_threads(jobs)
    assert len(asked) == 4 * 8 * many + 4 * 4 * many
    check(counted, asked)


def test_polls_of_one_run_from_everywhere_are_one_run_and_all_counted(server: Server, many: int) -> None:
    polls: list[int] = []
    with closing(client_of("OpenAI", server)) as client, counting() as (_, counted):
        thread = {"messages": [{"role": "user", "content": "Hi?"}]}
        run = client.beta.threads.create_and_run(assistant_id=assistant(server), thread=thread)

        def poll() -> None:
            for _ in range(20 * many):
                client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
                polls.append(1)

        in_threads([poll] * 16)
    (span,) = counted.runs_by_id().values()
    assert (span.attributes or {})["runspan.run.status"] == "completed"
    # Those that come after the end went out are history.
    assert 1 <= int((span.attributes or {})["runspan.run.polls"]) <= len(polls)  # type: ignore[arg-type]


def test_on_and_off_while_calls_are_in_flight(server: Server, many: int) -> None:
    provider, counted = counting_provider()
    asked: Asked = {}
    assistant_id = assistant(server)
    with closing(client_of("OpenAI", server)) as client, switching(provider):
        in_threads(
            [
                lambda n=n: [ask(client, assistant_id, f"{n}.{i}", asked) for i in range(6 * many)]
                for n in range(8)
            ]
        )  # type: ignore[misc]
    assert len(asked) == 48 * many  # the app got every answer
    counted.check_whole()
    assert counted.runs_by_id().keys() <= set(asked.values())
    figures.count(runs=len(asked), expected=sum(counted.started.values()), found=len(counted.ended))


@contextmanager
def switching(provider: Any) -> Iterator[None]:
    """runspan is put on and taken off all the time."""
    is_over = threading.Event()

    def on_and_off() -> None:
        while not is_over.is_set():
            runspan.instrument(tracer_provider=provider, fetch="never", settle_s=0.0, exit_timeout_s=10.0)
            is_over.wait(0.01)
            runspan.uninstrument()

    thread = threading.Thread(target=on_and_off)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def in_threads(jobs: list[Callable[[], Any]]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
