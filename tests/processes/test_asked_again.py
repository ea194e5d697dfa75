"""A process that is asked to end once more while it delivers: supervisors do so, as gunicorn's does after a Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import textwrap

import pytest

from runspan.fake import Server
from tests.support.children import environment, finish, start
from tests.support.otlp import unfinished
from tests.support.receiver import Receiver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other signals there")

BEGIN = """
    import multiprocessing, os, signal, sys
    import runspan
    runspan.instrument(exit_timeout_s=600)
    from tests.support import app

    def asked_again(*_):
        print("asked again", flush=True)
        sys.exit(3)

    def begin():
        signal.signal(signal.SIGQUIT, asked_again)
        print(os.getpid(), app.begin_run(app.client()).id, flush=True)
"""
ENDS = {  # how a process ends, and its exit status
    "by its exit hooks": ("begin()", 0),
    "by a signal against itself": ("begin(); signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM),
    "as a child of multiprocessing": (
        "child = multiprocessing.get_context('fork').Process(target=begin)\n"
        "child.start(); child.join(); os._exit(child.exitcode)",
        3 if sys.version_info < (3, 13) else 0,  # what multiprocessing makes of it
    ),
    "after uninstrument()": ("begin(); runspan.uninstrument(); print('not reached')", 3),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_handler_that_exits_does_not_end_the_delivery(end: str, server: Server, receiver: Receiver) -> None:
    how, code = ENDS[end]
    receiver.answer_with(503, retry_after_s=1, delay_s=86_400)  # nothing is kept until it tries again
    variables = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
    child = start(textwrap.dedent(BEGIN) + how, environment(server, receiver, **variables))
    assert child.stdout is not None
    pid, run_id = child.stdout.readline().split()
    receiver.wait_for_requests(1, timeout_s=60)
    os.kill(int(pid), signal.SIGQUIT)
    assert child.stdout.readline() == "asked again\n"
    receiver.answer_with()
    ended = finish(child)
    assert (ended.code, ended.out, ended.err) == (code, "", "")
    assert unfinished(receiver) == {run_id: "shutdown"}


def test_a_second_ctrl_c_does(server: Server, receiver: Receiver) -> None:
    receiver.answer_with(503, delay_s=86_400)
    variables = {"OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
    child = start(textwrap.dedent(BEGIN) + "begin()", environment(server, receiver, **variables))
    receiver.wait_for_requests(1, timeout_s=60)
    child.send_signal(signal.SIGINT)
    ended = finish(child)  # it would be killed much earlier than at its deadline
    assert ended.code == 0
    assert "KeyboardInterrupt" in ended.err
