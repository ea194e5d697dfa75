"""Python 3.12 starts no thread once the main thread has ended, so none in an exit hook. Every Python is made to do so here."""

from __future__ import annotations

import textwrap

import pytest

from runspan.fake import Server
from tests.support.children import Ended, black_hole, environment, run
from tests.support.otlp import run_ids, unfinished
from tests.support.receiver import Receiver

LIKE_3_12 = """
import threading
start = threading.Thread.start

def refuse_late(thread):
    if not threading.main_thread().is_alive():
        raise RuntimeError("can't create new thread at interpreter shutdown")
    start(thread)

threading.Thread.start = refuse_late

import asyncio, atexit, time
import runspan

@runspan.observe
def step(name):
    return name
"""


def late(script: str, env: dict[str, str]) -> Ended:
    return run(LIKE_3_12 + textwrap.dedent(script), env)


@pytest.mark.parametrize(
    "work", ["step('a')", "atexit.register(step, 'a')"], ids=["in the script", "in an exit hook"]
)
def test_spans_of_observed_functions_arrive(work: str, receiver: Receiver) -> None:
    late(f"runspan.instrument(exit_timeout_s=20)\n{work}", environment(to=receiver)).check()
    assert [span.name for span in receiver.wait_for_spans(1)] == ["step"]


def test_the_first_run_in_an_exit_hook_arrives(server: Server, receiver: Receiver) -> None:
    ended = late(
        """
        runspan.instrument(exit_timeout_s=20, fetch="never")
        from tests.support import app
        client = app.client()
        atexit.register(lambda: print(app.begin_run(client).id, flush=True))
        """,
        environment(server, receiver),
    )
    assert unfinished(receiver) == {ended.check().strip(): "shutdown"}


@pytest.mark.parametrize(
    "hook", ["{}", "atexit.register(lambda: {})"], ids=["in the script", "in an exit hook"]
)
def test_a_last_look_at_a_run_is_not_waited_for_without_end(
    hook: str, server: Server, receiver: Receiver
) -> None:
    """The script ends before the worker reads of its run."""
    script = f"""
    runspan.instrument(exit_timeout_s=600)
    from tests.support import app
    client = app.client()
    {hook.format("print(app.begin_run(client).id, flush=True)")}
    """
    ended = late(script, environment(server, receiver))
    assert unfinished(receiver) == {ended.check().strip(): "shutdown"}


@pytest.mark.parametrize(
    ("flush", "answer"),
    [("runspan.flush(20)", True), ("asyncio.run(runspan.aflush(20))", False)],
    ids=["flush", "aflush"],
)
def test_a_flush_in_an_exit_hook_delivers(
    flush: str, answer: bool, server: Server, receiver: Receiver
) -> None:
    """That of a coroutine must not hold up its loop; the exit delivers then."""
    server.play_next("text")
    hook = f"""
    def leave():
        print(app.whole_run(client).id, {flush}, flush=True)
    """
    instrument = 'runspan.instrument(exit_timeout_s=20, fetch="never")'
    hooks = ("atexit.register(leave)", instrument) if answer else (instrument, "atexit.register(leave)")
    ended = late(
        "\n".join(("from tests.support import app", "client = app.client()", textwrap.dedent(hook), *hooks)),
        environment(server, receiver),
    )
    run_id, is_out = ended.check().split()
    assert (run_ids(receiver), is_out) == ([run_id], str(answer))


def test_a_collector_that_hangs_costs_no_more_than_the_deadline() -> None:
    with black_hole() as endpoint:
        ended = late(
            "runspan.instrument(exit_timeout_s=1)\nstep('a')\nprint(time.monotonic())",
            environment(to=endpoint),
        )
    assert ended.code == 0
    assert ended.exit_seconds() < 8
