"""Calls from where nobody expects them: log handlers, signal handlers, finalizers. None may deadlock, none may lose a run."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

import runspan
from runspan import guard
from runspan.fake import Server
from runspan.setup import Handle
from tests.chaos.counting import Counted, counting
from tests.support.playing import client_of


@pytest.fixture
def far_server() -> Iterator[Server]:
    """In a process of its own: a finalizer that runs on a server's thread cannot wait for that server."""
    command = [sys.executable, "-m", "runspan.fake", "--scenario", "text"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Far(process.stdout.readline().strip())  # type: ignore[misc]
        process.terminate()


@dataclass
class Far:
    base_url: str


def run_of(client: Any, assistant_id: str) -> str:
    thread = {"messages": [{"role": "user", "content": "Hi?"}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant_id, thread=thread)
    client.beta.threads.messages.list(run.thread_id)
    id_: str = run.id
    return id_


class Caller(logging.Handler):
    """A log handler that asks an assistant, whatever is logged."""

    def __init__(self, client: Any, assistant_id: str) -> None:
        super().__init__()
        self.client, self.assistant_id = client, assistant_id
        self.asked: list[str] = []
        self._is_busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if not getattr(self._is_busy, "now", False):
            self._is_busy.now = True
            self.asked.append(run_of(self.client, self.assistant_id))
            self._is_busy.now = False


@pytest.mark.expects_swallowed
def test_a_log_handler_that_makes_runs_itself(server: Server, many: int) -> None:
    def broken(kind: str, text: str) -> str:
        raise ValueError(kind)

    log = logging.getLogger("runspan")
    guard._counts.pop("redact a text (it was dropped)", None)  # only the first of a place is logged
    with closing(client_of("OpenAI", server)) as client, counting(redact=broken) as (_, counted):
        assistant_id = client.beta.assistants.create(model="gpt-4o-mini").id
        handler = Caller(client, assistant_id)
        log.addHandler(handler)
        try:
            asked = [run_of(client, assistant_id) for _ in range(5 * many)]
            assert runspan.flush(30)
        finally:
            log.removeHandler(handler)
    assert handler.asked, "nothing was logged on the worker's thread"
    assert counted.runs_by_id().keys() == {*asked, *handler.asked}


def test_a_signal_handler_that_makes_runs_itself(server: Server, many: int) -> None:
    asked: list[str] = []
    under_way: list[bool] = []
    with closing(client_of("OpenAI", server)) as client, counting() as (handle, counted):
        assistant_id = client.beta.assistants.create(model="gpt-4o-mini").id
        with closing(client_of("OpenAI", server)) as of_signals:  # httpx's pool is not made for this

            def on_signal(*_: Any) -> None:
                under_way.append(True)
                asked.append(run_of(of_signals, assistant_id))
                under_way.pop()

            asked.append(
                run_of(client, assistant_id)
            )  # pydantic makes the class of a page once, and not in the midst of it
            before = signal.signal(signal.SIGUSR1, on_signal)
            stop = threading.Event()
            sender = threading.Thread(target=_send, args=(stop, 10 * many, under_way))
            sender.start()
            try:
                while sender.is_alive():
                    asked.append(run_of(client, assistant_id))
                    runspan.flush(10)
            finally:
                stop.set()
                sender.join()
                signal.signal(signal.SIGUSR1, before)
    check(handle, counted, asked)


NESTED = 3  # handlers that a signal may interrupt: on a slow machine, more would be the end of Python's stack


def _send(stop: threading.Event, times: int, under_way: list[bool]) -> None:
    for _ in range(times):
        while not stop.wait(0.02) and len(under_way) >= NESTED:
            pass
        if stop.is_set():
            return
        os.kill(os.getpid(), signal.SIGUSR1)


class Parting:
    """Asks an assistant while it is collected, wherever the collector happens to run."""

    def __init__(self, client: Any, assistant_id: str, asked: list[str]) -> None:
        self.told = client, assistant_id, asked
        self.me = self  # a cycle: only the collector ends it

    def __del__(self) -> None:
        client, assistant_id, asked = self.told
        asked.append(run_of(client, assistant_id))


def test_finalizers_that_make_runs_on_any_thread(far_server: Server, many: int) -> None:
    asked: list[str] = []
    before = gc.get_threshold()
    with (
        closing(client_of("OpenAI", far_server)) as client,
        closing(client_of("OpenAI", far_server)) as of_finalizers,  # a pool's own lock is not made for this
        counting() as (handle, counted),
    ):
        assistant_id = client.beta.assistants.create(model="gpt-4o-mini").id
        gc.set_threshold(50, 2, 2)
        try:
            for _ in range(10 * many):
                Parting(of_finalizers, assistant_id, asked)
                asked.append(run_of(client, assistant_id))
                assert runspan.flush(30)
            gc.collect()
        finally:
            gc.set_threshold(*before)
    assert len(asked) == 20 * many
    check(handle, counted, asked)


def test_streams_that_are_forgotten_end_their_runs_wherever_they_are_collected(
    server: Server, many: int
) -> None:
    with closing(client_of("OpenAI", server)) as client, counting() as (_, counted):
        assistant_id = client.beta.assistants.create(model="gpt-4o-mini").id
        for _ in range(10 * many):
            thread = {"messages": [{"role": "user", "content": "Hi?"}]}
            stream = client.beta.threads.create_and_run(assistant_id=assistant_id, thread=thread, stream=True)
            next(iter(stream))
            loop = [stream]
            loop.append(loop)
            del stream, loop
        gc.collect()
    runs = counted.of("invoke_agent")
    assert len(runs) == 10 * many
    assert {(run.attributes or {})["runspan.run.unfinished"] for run in runs} == {"stream_closed"}


def check(handle: Handle, counted: Counted, asked: list[str]) -> None:
    """All of them; but a run that is made while the very first tracer is made on the same thread can only be counted."""
    assert len(asked) == len(set(asked))
    assert counted.runs_by_id().keys() <= set(asked)
    assert len(counted.of("chat")) == len(counted.runs_by_id()) == len(asked) - handle.stats().unrecorded
