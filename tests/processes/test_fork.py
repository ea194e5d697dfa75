"""The process that makes a POST owns its run: children deliver theirs, and never their parent's."""

from __future__ import annotations

import sys

import pytest

from runspan.fake import Server
from tests.support.children import Ended, environment, run, run_program
from tests.support.otlp import run_ids
from tests.support.receiver import Receiver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork there")


def said(ended: Ended) -> dict[str, str]:
    """Its lines `name value`."""
    return dict(line.split() for line in ended.check().splitlines())


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_child_of_multiprocessing_delivers_its_own_run_and_the_parent_its_own(
    method: str, server: Server, receiver: Receiver
) -> None:
    ended = run_program(["-m", "tests.processes.forked", method], environment(server, receiver))
    lines = said(ended)
    assert lines.pop("code") == "0"
    assert run_ids(receiver) == sorted(lines.values())


FORK = """
    import os, sys
    import runspan
    handle = runspan.instrument(exit_timeout_s=20, fetch="never")
    from tests.support import app
    {before}
    print("parent", app.begin_one().id, flush=True)
    {between}
    pid = os.fork()
    if pid == 0:
        {child}
    else:
        print("code", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def forking(child: str, before: str = "", between: str = "") -> str:
    return FORK.format(child=child, before=before, between=between)


def test_a_bare_fork_that_leaves_through_the_interpreter_delivers_its_run(
    server: Server, receiver: Receiver
) -> None:
    script = forking('print("child", app.begin_one().id, flush=True)')
    lines = said(run(script, environment(server, receiver)))
    assert lines.pop("code") == "0"
    assert run_ids(receiver) == sorted(lines.values())


def test_a_child_that_leaves_by_os_exit_can_flush_before(server: Server, receiver: Receiver) -> None:
    script = forking(
        'run = app.whole_run(app.client()); print("child", run.id, runspan.flush(20), flush=True); os._exit(0)'
    )
    server.play_next("slow", "text")
    ended = run(script, environment(server, receiver))
    parent, child, code = (line.split() for line in ended.check().splitlines())
    assert (child[2], code[1]) == ("True", "0")
    assert run_ids(receiver) == sorted([parent[1], child[1]])


def test_a_child_without_a_run_says_nothing_of_its_parents(server: Server, receiver: Receiver) -> None:
    lines = said(run(forking("sys.exit(0)"), environment(server, receiver)))
    assert run_ids(receiver) == [lines["parent"]]


def test_a_child_that_makes_no_span_starts_no_thread(server: Server, receiver: Receiver) -> None:
    """The SDK's fork hooks would, for the tracer and the meter provider of the parent."""
    env = environment(server, receiver, OTEL_METRICS_EXPORTER="otlp")
    child = 'import threading; print("child", len(threading.enumerate()), flush=True); os._exit(0)'
    lines = said(run(forking(child), env))
    assert (lines["child"], lines["code"]) == ("1", "0")
    assert run_ids(receiver) == [lines["parent"]]


def test_a_fork_while_the_worker_is_busy_leaves_a_child_that_works(
    server: Server, receiver: Receiver
) -> None:
    """The worker and the exporter may hold any lock of ours at that moment; the child must not wait for them."""
    script = forking(
        'print("child", app.begin_one().id, flush=True)',
        between="app.begin_runs(app.canned_client(), 200)",
    )
    lines = said(run(script, environment(server, receiver)))
    assert lines.pop("code") == "0"
    assert run_ids(receiver) == sorted([*lines.values(), *(f"run_{n}" for n in range(1, 201))])


def test_forks_from_many_threads_at_once_lose_and_repeat_nothing(server: Server, receiver: Receiver) -> None:
    ended = run(
        """
        import os, threading
        import runspan
        runspan.instrument(exit_timeout_s=20, fetch="never")
        from tests.support import app
        client = app.client()

        def work():
            app.begin_run(client)
            pid = os.fork()
            if pid == 0:
                app.begin_one()
                os.write(1, f"{runspan.uninstrument()}\\n".encode())  # unbuffered: fork copies what print holds
                os._exit(0)
            os.write(1, f"{os.waitpid(pid, 0)[1]}\\n".encode())

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """,
        environment(server, receiver),
    )
    assert sorted(ended.check().split()) == ["0"] * 6 + ["True"] * 6
    ids = run_ids(receiver)
    assert len(ids) == len(set(ids)) == 12


def test_what_a_parent_emitted_before_the_fork_is_exported_by_the_parent_only(
    server: Server, receiver: Receiver
) -> None:
    """The batch processor's queue is copied by the fork, too."""
    server.play_next("text")
    script = forking(
        "app.begin_one(); sys.exit(0)",
        before='print("first", app.whole_run(app.client()).id, flush=True)',
        between="import time; handle._worker.put; time.sleep(0.1)",
    )
    lines = said(run(script, environment(server, receiver, OTEL_BSP_SCHEDULE_DELAY="60000")))
    ids = run_ids(receiver)
    assert ids.count(lines["first"]) == ids.count(lines["parent"]) == 1
    assert len(ids) == 3
