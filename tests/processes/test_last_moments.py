"""Work of the app when the interpreter is already going: exit hooks, finalizers, log handlers, signals that come once more."""

from __future__ import annotations

import signal
import sys

import pytest

from runspan.fake import Server
from tests.support.children import environment, finish, run, start
from tests.support.otlp import run_ids, unfinished
from tests.support.receiver import Receiver


def test_the_first_run_of_a_process_in_an_exit_hook_is_delivered(server: Server, receiver: Receiver) -> None:
    """A hook that is registered while hooks run is never called."""
    ended = run(
        """
        import atexit
        import runspan
        runspan.instrument(exit_timeout_s=20, fetch="never")
        from tests.support import app
        client = app.client()
        atexit.register(lambda: print(app.begin_run(client).id, flush=True))
        """,
        environment(server, receiver),
    )
    assert unfinished(receiver) == {ended.check().strip(): "shutdown"}


def test_an_exit_hook_older_than_instrument_delivers_by_a_flush_of_its_own(
    server: Server, receiver: Receiver
) -> None:
    server.play_next("text")
    ended = run(
        """
        import atexit
        import runspan
        from tests.support import app
        client = app.client()
        def leave():
            print(app.whole_run(client).id, runspan.flush(20), flush=True)
        atexit.register(leave)
        runspan.instrument(exit_timeout_s=20, fetch="never")
        """,
        environment(server, receiver),
    )
    run_id, is_out = ended.check().split()
    assert (run_ids(receiver), is_out) == ([run_id], "True")


@pytest.mark.parametrize("before", ["", "step(0)"], ids=["first", "later"])
def test_an_observed_function_in_the_very_last_finalizer_does_not_hold_the_process(
    before: str, receiver: Receiver
) -> None:
    """No thread runs any more then, and one that is started would be waited for without end."""
    ended = run(
        f"""
        import runspan
        runspan.instrument(exit_timeout_s=20)

        @runspan.observe
        def step(n):
            return n

        {before}

        class Last:
            def __init__(self):
                self.step, self.flush = step, lambda: runspan.flush(20)
                self.me = self
            def __del__(self):
                print(self.step(1), self.flush(), flush=True)

        last = Last()
        """,
        environment(to=receiver),
    )
    assert ended.check() == "1 False\n"
    assert len(receiver.spans) == bool(before)


def test_a_log_handler_that_makes_a_run_when_logging_shuts_down(server: Server, receiver: Receiver) -> None:
    ended = run(
        """
        import runspan
        runspan.instrument(exit_timeout_s=20, fetch="never")
        import logging
        from tests.support import app
        client = app.client()

        class Caller(logging.Handler):
            def emit(self, record):
                print(app.begin_run(client).id, flush=True)

        log = logging.getLogger("app")
        log.addHandler(Caller())
        import atexit
        atexit.register(log.error, "the app leaves")
        """,
        environment(server, receiver),
    )
    assert run_ids(receiver) == [ended.check().strip()]


@pytest.mark.skipif(sys.platform == "win32", reason="other signals there")
def test_sigint_from_outside_ends_the_app_as_always_and_the_run_arrives(
    server: Server, receiver: Receiver
) -> None:
    child = start(
        """
        import time
        import runspan
        runspan.instrument(exit_timeout_s=20, fetch="never")
        from tests.support import app
        print(app.begin_run(app.client()).id, flush=True)
        while True: time.sleep(0.05)  # one that begins as the signal comes is slept to its end: 37 of 600 on 3.14, without us
        """,
        environment(server, receiver),
    )
    assert child.stdout is not None
    run_id = child.stdout.readline().strip()
    child.send_signal(signal.SIGINT)
    ended = finish(child)
    assert ended.code in (130, -signal.SIGINT)
    assert ended.err.endswith("KeyboardInterrupt\n")
    assert unfinished(receiver) == {run_id: "shutdown"}


@pytest.mark.skipif(sys.platform == "win32", reason="other signals there")
def test_a_sigterm_handler_that_uninstruments_while_instrument_is_at_work(
    server: Server, receiver: Receiver
) -> None:
    """Both take one lock; the handler runs on the thread that has it."""
    ended = run(
        """
        import os, signal
        import runspan
        from runspan import setup
        signal.signal(signal.SIGTERM, lambda *_: runspan.uninstrument())
        runspan.instrument(exit_timeout_s=20, fetch="never")
        with setup._lock:
            os.kill(os.getpid(), signal.SIGTERM)
        print("is off:", setup._handle is None)
        """,
        environment(server, receiver),
    )
    assert ended.check() == "is off: True\n"
