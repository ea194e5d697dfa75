"""A process that raises a signal against itself: its spans arrive before, and it ends as it does without us."""

from __future__ import annotations

import signal
import sys
import textwrap

import pytest

from runspan.fake import Server, SimulatedClock, serve
from tests.support.children import black_hole, environment, finish, run, start
from tests.support.otlp import generations, run_ids, unfinished
from tests.support.playing import ANSWER, ANSWERED
from tests.support.receiver import Receiver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other signals there")

BEGIN = """
    import os, signal, threading, time
    import runspan
    runspan.instrument(exit_timeout_s=20)
    from tests.support import app
    client = app.client()
"""
RAISED = {  # how a process signals itself; `end` is the signal, with its default handler
    "raise_signal": "signal.raise_signal(end)",
    "pthread_kill": "signal.pthread_kill(threading.main_thread().ident, end)",
    "kill": "os.kill(os.getpid(), end)",
    "its group": "os.setpgid(0, 0); os.killpg(os.getpgrp(), end)",
    "its group, by 0": "os.setpgid(0, 0); os.kill(0, end)",
    "on another thread": "threading.Thread(target=signal.raise_signal, args=(end,)).start(); time.sleep(600)",
    "by a handler": (
        "signal.signal(end, lambda *_: (signal.signal(end, signal.SIG_DFL), signal.raise_signal(end)))\n"
        "signal.raise_signal(end)"
    ),
}


def script(*parts: str) -> str:
    return "".join(textwrap.dedent(part) + "\n" for part in (BEGIN, *parts))


@pytest.mark.parametrize("how", RAISED)
def test_what_is_over_and_what_lives_arrives(how: str, server: Server, receiver: Receiver) -> None:
    server.play_next("text")
    ended = run(
        script(
            "print(app.whole_run(client).id, app.begin_run(client).id, flush=True)",
            "end = signal.SIGTERM",
            RAISED[how],
        ),
        environment(server, receiver),
    )
    over, alive = ended.out.split()
    assert (ended.code, ended.err) == (-signal.SIGTERM, "")
    assert run_ids(receiver) == sorted([over, alive])
    assert unfinished(receiver) == {alive: "shutdown"}


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_whatever_the_signal_that_asks_a_process_to_end(end: str, server: Server, receiver: Receiver) -> None:
    ended = run(
        script(
            f"end = signal.{end}",
            "signal.signal(end, signal.SIG_DFL)",
            "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
            "print(app.begin_run(client).id, flush=True)",
            "signal.raise_signal(end)",
        ),
        environment(server, receiver),
    )
    assert (ended.code, ended.err) == (-getattr(signal, end), "")
    assert unfinished(receiver) == {ended.out.strip(): "shutdown"}


def test_inside_a_running_loop_what_a_run_lacks_is_fetched_first(receiver: Receiver) -> None:
    """As uvicorn does it: the loop is held up by the very call that ends the process, so its client cannot be asked."""
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        ended = run(
            script(
                """
                import asyncio
                from openai import AsyncOpenAI
                client = AsyncOpenAI(base_url=os.environ["APP_SERVER"], api_key="none", max_retries=0)

                async def main():
                    beta = client.beta
                    assistant = await beta.assistants.create(model="gpt-4o", instructions="Help.")
                    run = await beta.threads.create_and_run(assistant_id=assistant.id)
                    while run.status in ("queued", "in_progress"):
                        run = await beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
                    print(run.id, flush=True)
                    signal.raise_signal(signal.SIGTERM)

                asyncio.run(main())
                """
            ),
            environment(server, receiver),
        )
    assert (ended.code, ended.err) == (-signal.SIGTERM, "")
    assert run_ids(receiver) == [ended.out.strip()]
    (generation,) = generations(receiver)
    assert ANSWER in str(generation.attributes["gen_ai.output.messages"])


def test_an_apps_own_provider_is_flushed(server: Server, receiver: Receiver) -> None:
    ended = run(
        script(
            """
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            provider = TracerProvider()
            exporter = OTLPSpanExporter(os.environ["APP_COLLECTOR"] + "/v1/traces")
            provider.add_span_processor(BatchSpanProcessor(exporter))
            trace.set_tracer_provider(provider)
            print(app.begin_run(client).id, flush=True)
            signal.raise_signal(signal.SIGTERM)
            """
        ),
        environment(server, APP_COLLECTOR=receiver.endpoint),
    )
    assert (ended.code, ended.err) == (-signal.SIGTERM, "")
    assert unfinished(receiver) == {ended.out.strip(): "shutdown"}


SURVIVED = {
    "a handler of the app": (
        "signal.signal(signal.SIGTERM, lambda *_: print('handled', flush=True))",
        "signal.raise_signal(signal.SIGTERM)",
    ),
    "ignored": ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "os.kill(os.getpid(), signal.SIGTERM)"),
    "blocked, waited for": (
        "os.kill(os.getpid(), signal.SIGTERM)",
        "assert signal.sigwait({signal.SIGTERM}) == signal.SIGTERM",
    ),
    "no end": ("signal.raise_signal(signal.SIGCHLD)",),
    "another process": (
        "import subprocess, sys",
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])",
        "os.kill(child.pid, signal.SIGTERM)",
        "assert child.wait() == -signal.SIGTERM",
    ),
    "wrong arguments": (
        "for call in (lambda: os.kill(), lambda: os.kill(os.getpid(), None), lambda: signal.raise_signal('15')):",
        "    try: call()",
        "    except TypeError: continue",
        "    raise AssertionError(call)",
    ),
}


@pytest.mark.parametrize("how", SURVIVED)
def test_a_signal_that_ends_nothing_here_ends_no_run(how: str, receiver: Receiver) -> None:
    """Its run is seen to its end afterwards."""
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        ended = run(
            script(
                "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})" if "blocked" in how else "",
                "run = app.begin_run(client)",
                "\n".join(SURVIVED[how]),
                "while client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != 'completed': pass",
                "print(run.id, runspan.current_handle().stats().unfinished, flush=True)",
            ),
            environment(server, receiver),
        )
    run_id, cut = ended.check().removeprefix("handled\n").split()
    assert (run_ids(receiver), unfinished(receiver), cut) == ([run_id], {}, "0")


def test_a_process_that_outlives_its_signal_delivers_again_at_its_exit(
    server: Server, receiver: Receiver
) -> None:
    """The first process of a container: the kernel spares it a signal without a handler, even its own."""
    ended = run(
        textwrap.dedent("import signal; signal.raise_signal = lambda signalnum: print(signalnum)\n")
        + script(
            "print(app.begin_run(client).id, flush=True)",
            "signal.raise_signal(15)",
            "print(app.begin_run(client).id, flush=True)",
        ),
        environment(server, receiver),
    )
    first, raised, second = ended.check().split()
    assert raised == "15"
    assert unfinished(receiver) == {first: "shutdown", second: "shutdown"}


def test_an_impatient_interrupt_ends_the_delivery_and_not_the_signal(server: Server) -> None:
    with black_hole() as endpoint:
        child = start(
            script(
                "app.begin_run(client)",
                "deliver = runspan.current_handle()._endings._deliver",
                "runspan.current_handle()._endings._deliver = lambda: (print('now', flush=True), deliver())",
                "signal.raise_signal(signal.SIGTERM)",
            ),
            environment(server, endpoint),
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "now\n"
        child.send_signal(signal.SIGINT)
        assert finish(child).code == -signal.SIGTERM


def test_uninstrument_gives_back_the_very_same_functions() -> None:
    ended = run(
        """
        import os, signal
        NAMES = [(signal, "raise_signal"), (signal, "pthread_kill"), (os, "kill"), (os, "killpg")]
        before = [getattr(*name) for name in NAMES]
        import runspan
        runspan.instrument()
        during = [getattr(*name) for name in NAMES]
        assert not set(before) & set(during)
        assert [f.__name__ for f in during] == [name for _, name in NAMES]
        runspan.uninstrument()
        assert [getattr(*name) for name in NAMES] == before
        """,
    )
    ended.check()
