"""Other ends than the last line: exceptions, exits in threads, signals, pools, open streams."""

from __future__ import annotations

import signal
import sys

import pytest

from runspan.fake import Server, serve
from tests.support.children import Ended, environment, finish, run, start
from tests.support.otlp import run_ids, runs, unfinished
from tests.support.receiver import Receiver

BEGIN = """
    import runspan
    runspan.instrument(exit_timeout_s=20)
    from tests.support import app
    client = app.client()
    print(app.begin_run(client).id, flush=True)
"""


def test_an_exception_at_top_level_is_the_apps_own_and_the_run_still_arrives(
    server: Server, receiver: Receiver
) -> None:
    ended = run(BEGIN + "    raise ValueError('of the app')\n", environment(server, receiver))
    assert ended.code == 1
    assert ended.err.count("Traceback") == 1
    assert ended.err.endswith("ValueError: of the app\n")
    assert unfinished(receiver) == {ended.out.strip(): "shutdown"}


def test_sys_exit_keeps_its_code(server: Server, receiver: Receiver) -> None:
    ended = run(BEGIN + "    raise SystemExit(3)\n", environment(server, receiver))
    assert (ended.code, ended.err) == (3, "")
    assert run_ids(receiver) == [ended.out.strip()]


def test_sys_exit_in_a_thread_ends_that_thread_only(server: Server, receiver: Receiver) -> None:
    script = BEGIN + (
        "    import sys, threading\n"
        "    def work():\n"
        "        print(app.begin_run(client).id, flush=True)\n"
        "        sys.exit(1)\n"
        "    thread = threading.Thread(target=work)\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "    print(app.begin_run(client).id, flush=True)\n"
    )
    ended = run(script, environment(server, receiver))
    assert run_ids(receiver) == sorted(ended.check().split())
    assert len(runs(receiver)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="other signals there")
def test_sigterm_ends_an_app_as_if_runspan_were_not_there(server: Server, receiver: Receiver) -> None:
    """We install no signal handler: the default is death without exit hooks, and it stays so."""
    child = start(BEGIN + "    import time\n    time.sleep(600)\n", environment(server, receiver))
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGTERM)
    ended = finish(child)
    assert (ended.code, ended.err) == (-signal.SIGTERM, "")


@pytest.mark.skipif(sys.platform == "win32", reason="other signals there")
def test_a_sigterm_handler_of_the_app_that_exits_delivers_what_lives(
    server: Server, receiver: Receiver
) -> None:
    handler = "    import signal, sys, time\n    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    script = handler + BEGIN + "    while True: time.sleep(0.05)\n"
    child = start(script, environment(server, receiver))
    assert child.stdout is not None
    run_id = child.stdout.readline().strip()
    child.send_signal(signal.SIGTERM)
    ended = finish(child)
    assert (ended.code, ended.err) == (0, "")
    assert unfinished(receiver) == {run_id: "shutdown"}


# What is imported at the end makes dataclasses, for which CPython forgets the interrupt.
IMPORTS = """
    from runspan.runtime.tracker import Tracker
    emit_all = Tracker.emit_all
    Tracker.emit_all = lambda tracker: (exec("import sys"), emit_all(tracker))
"""


@pytest.mark.parametrize("meanwhile", ["", IMPORTS], ids=["", "something is imported at the end"])
def test_the_keyboard_interrupt_of_an_app_stays_one(
    meanwhile: str, server: Server, receiver: Receiver
) -> None:
    ended = run(BEGIN + meanwhile + "    raise KeyboardInterrupt\n", environment(server, receiver))
    assert ended.code in (130, -signal.SIGINT)
    assert ended.err.endswith("KeyboardInterrupt\n")
    assert ended.err.count("Traceback") == 1
    assert unfinished(receiver) == {ended.out.strip(): "shutdown"}


@pytest.mark.skipif(
    sys.version_info[:3] == (3, 13, 0), reason="this Python crashes there, without runspan as well"
)
def test_an_interpreter_that_ends_while_a_stream_is_open_says_so_in_the_run(
    server: Server, receiver: Receiver
) -> None:
    begin = "    import runspan\n    runspan.instrument(exit_timeout_s=20)\n"
    use = """
    from tests.support import app
    client = app.client()
    assistant = client.beta.assistants.create(model=app.MODEL, instructions="Help.")
    stream = client.beta.threads.create_and_run(assistant_id=assistant.id, stream=True)
    for event in stream:
        if event.event == "thread.run.created":
            print(event.data.id)
            break
    """
    ended, without = (run(script, environment(server, receiver)) for script in (begin + use, use))
    assert (ended.code, complaints(ended)) == (0, complaints(without))
    (run_id,) = ended.out.split()
    assert set(unfinished(receiver)) == {run_id}
    assert unfinished(receiver)[run_id] in ("stream_closed", "shutdown")


def complaints(ended: Ended) -> list[str]:
    """What it said, without where: on Python 3.14 the client cannot close its stream so late."""
    return [line for line in ended.err.splitlines() if line[:1] != " " and " at 0x" not in line]


def test_runs_in_a_thread_pool_arrive_though_nobody_joined_it(server: Server, receiver: Receiver) -> None:
    ended = run(
        """
        from concurrent.futures import ThreadPoolExecutor
        import runspan
        runspan.instrument(exit_timeout_s=20, fetch="never")
        from tests.support import app
        client = app.client()
        pool = ThreadPoolExecutor(4)
        for _ in range(12):
            pool.submit(lambda: print(app.begin_run(client).id + "\\n", end="", flush=True))
        """,
        environment(server, receiver),
    )
    assert run_ids(receiver) == sorted(ended.check().split())
    assert len(runs(receiver)) == 12


def test_daemon_threads_that_still_make_calls_do_not_disturb_the_exit(
    server: Server, receiver: Receiver
) -> None:
    ended = run(
        """
        import threading
        import runspan
        runspan.instrument(exit_timeout_s=20, fetch="never")
        from tests.support import app
        client = app.client()
        run = app.begin_run(client)
        print(run.id)
        def poll():
            while True:
                client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        for _ in range(3):
            threading.Thread(target=poll, daemon=True).start()
        """,
        environment(server, receiver),
    )
    assert ended.code == 0
    assert run_ids(receiver) == [ended.out.strip()]


def test_an_async_app_that_leaves_its_loop_delivers_its_runs(receiver: Receiver) -> None:
    with serve("slow") as server:
        ended = run(
            """
            import asyncio, os
            import runspan
            runspan.instrument(exit_timeout_s=20)
            from openai import AsyncOpenAI

            async def main():
                async with AsyncOpenAI(base_url=os.environ["APP_SERVER"], api_key="none") as client:
                    assistant = await client.beta.assistants.create(model="gpt-4o", instructions="Help.")
                    runs = [client.beta.threads.create_and_run(assistant_id=assistant.id) for _ in range(5)]
                    print(*(run.id for run in await asyncio.gather(*runs)))

            asyncio.run(main())
            """,
            environment(server, receiver),
        )
    assert run_ids(receiver) == sorted(ended.check().split())
    assert len(runs(receiver)) == 5
