"""Each function of ours that an agents client reaches fails in turn: the app goes on. As in tests/e2e/test_our_faults.py."""

from __future__ import annotations

from functools import partial
from types import FunctionType
from typing import Any

import pytest

from runspan.fake import Server, serve
from tests.azure.agents_app import agents_client
from tests.e2e import test_our_faults as faults
from tests.support.playing import client_of

RUNS = 4
# What only passes the app's call on, or is the way in which something ends; as there.
LEFT_OUT = {
    "clients.azure_core.stream_taps._read",
    "clients.reads.Reads.__iter__",
    "clients.reads.Reads.__next__",
}


def app(assistant_id: str, server: Server) -> list[Any]:
    """A processed run, a streamed one, one that is refused, and a stream that is; what the app got."""
    got: list[Any] = []
    with agents_client("sync", server) as client:
        asked: dict[str, Any] = {"agent_id": assistant_id}
        run = client.create_thread_and_process_run(**asked, polling_interval=0)
        got += [run.status, len(list(client.messages.list(run.thread_id)))]
        with client.runs.stream(thread_id=client.threads.create().id, **asked) as events:
            got += [name for name, *_ in events]
        got += [_refused(make, run.thread_id) for make in (client.runs.create, client.runs.stream)]
    return got


def _refused(make: Any, thread_id: str) -> str:
    try:
        return str(make(thread_id=thread_id, agent_id="asst_none"))
    except Exception as error:
        return type(error).__name__


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:Assigning a code object of non-matching type:DeprecationWarning",  # Python 3.13 on
)
@pytest.mark.expects_swallowed
def test_each_function_of_ours_may_fail() -> None:
    with serve("text") as server:
        with client_of("OpenAI", server) as setting_up:
            made = setting_up.beta.assistants.create(model="m", instructions="x")
        play = partial(app, made.id, server)
        bare = play()
        with faults.instrumented():
            functions = faults.called(lambda: (play(), faults.runspan.flush(10)))
        own = {faults.name_of(f) for f in functions if ".azure_core." in f.__module__}
        assert own >= LEFT_OUT - {name for name in LEFT_OUT if "azure_core" not in name}
        assert len(own) > 15
        found = {}
        for function in functions:
            name = faults.name_of(function)
            if name in faults.LEFT_OUT | LEFT_OUT or not _is_of_clients(function):
                continue
            if wrong := faults.wrong(function, play, bare, RUNS):
                found[name] = wrong
        assert found == {}, sorted(found)


def _is_of_clients(function: FunctionType) -> bool:
    """The rest of runspan is tried there."""
    return function.__module__.startswith("runspan.clients.")
