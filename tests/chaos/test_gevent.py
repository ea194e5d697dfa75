"""gevent, whenever it patches the process: greenlets make runs and begin subprocesses, and everything arrives once."""

from __future__ import annotations

import pytest

from runspan.fake import Server
from tests.chaos import figures
from tests.chaos.arriving import check_arrived
from tests.chaos.greenlets import WHEN
from tests.support.children import black_hole, environment, finish, start_program
from tests.support.otlp import run_ids
from tests.support.receiver import Receiver

pytest.importorskip("gevent")


@pytest.mark.parametrize("when", WHEN)
def test_gevent_patched(when: str, server: Server, receiver: Receiver, many: int) -> None:
    program = ["-W", "ignore", "-m", "tests.chaos.greenlets", when, str(8 * many)]
    ended = finish(start_program(program, environment(server, receiver), strict=False))
    check_arrived(receiver, ended.check().split())


SCRIPT = """
from gevent import monkey; monkey.patch_all()
import os, time, gevent, runspan
{more}
runspan.instrument(exit_timeout_s=1, fetch="never")

@runspan.observe
def step(n):
    return n

gevent.joinall([gevent.spawn(step, n) for n in range(100)])
{then}
print(time.monotonic())
"""


def test_gevent_with_a_collector_that_hangs_ends_in_time() -> None:
    with black_hole() as endpoint:
        script = SCRIPT.format(more="", then="")
        ended = finish(start_program(["-c", script], environment(to=endpoint), strict=False))
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert ended.exit_seconds() < 8


def test_no_greenlet_goes_on_in_the_child_of_a_fork(receiver: Receiver) -> None:
    """The SDK's fork hooks start threads, and with gevent that lets everything else go on, in the child as well."""
    more = "parent = os.getpid()"
    then = """
import subprocess
def beside():
    while not over:
        if os.getpid() != parent:
            os.write(2, b"a greenlet went on in a forked child")
            os._exit(97)
        gevent.sleep(0)
over = []
others = [gevent.spawn(beside) for _ in range(3)]
gevent.sleep(0)
for _ in range(5):
    subprocess.run(["true"], check=True)
over.append(True)
gevent.joinall(others)
"""
    env = environment(to=receiver, OTEL_METRICS_EXPORTER="otlp")
    ended = finish(start_program(["-c", SCRIPT.format(more=more, then=then)], env, strict=False))
    ended.check()
    found = len(receiver.wait_for_spans(100))
    figures.count(runs=len(run_ids(receiver)), expected=100, found=found)
    assert found == 100
