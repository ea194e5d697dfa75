"""uvicorn's own shutdown: what is over is out when it returns, whatever ends the process then. The process may also go on."""

from __future__ import annotations

import signal
import sys
import textwrap

import pytest

import runspan
from runspan.fake import Server, SimulatedClock, serve
from runspan.runtime import clock
from tests.support.children import Ended, black_hole, environment, run
from tests.support.otlp import generations, run_ids, unfinished
from tests.support.playing import ANSWERED
from tests.support.receiver import Receiver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other signals there")

# A server that is asked to leave as soon as it serves; `shut_down()` is its own shutdown alone.
BEGIN = """
    import asyncio, os, signal
    import runspan
    handle = runspan.instrument(exit_timeout_s={timeout_s}, linger_s=600)
    import uvicorn
    from uvicorn.lifespan.off import LifespanOff
    from tests.support import app
    client = app.client()

    async def nothing(scope, receive, send): ...

    async def shut_down(server):
        await server.startup()
        await server.shutdown()

    server = uvicorn.Server(uvicorn.Config(nothing, port=0, lifespan="off", log_level="error"))
    server.config.load()
    server.lifespan = LifespanOff(server.config)
"""


def played(script: str, server: Server, to: Receiver | str, timeout_s: float = 20) -> Ended:
    text = textwrap.dedent(BEGIN).format(timeout_s=timeout_s) + textwrap.dedent(script)
    env = environment(server, to, OTEL_BSP_SCHEDULE_DELAY="600000")
    return run(text, env, strict=False)


def test_what_is_over_is_out_when_it_returns(receiver: Receiver) -> None:
    with serve(ANSWERED, SimulatedClock(poll_step_s=1.0)) as server:
        ended = played(
            """
            print(app.whole_run(client).id, flush=True)
            asyncio.run(shut_down(server))
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            server,
            receiver,
        )
    assert (ended.code, ended.err) == (-signal.SIGKILL, "")
    assert run_ids(receiver) == [ended.out.strip()]
    assert unfinished(receiver) == {}
    assert len(generations(receiver)) == 1


def test_what_lives_lives_on_in_a_process_that_goes_on(server: Server, receiver: Receiver) -> None:
    ended = played(
        """
        print(app.begin_run(client).id, flush=True)
        asyncio.run(shut_down(server))
        assert (handle.stats().live, handle.stats().unfinished) == (1, 0), handle.stats()
        """,
        server,
        receiver,
    )
    assert unfinished(receiver) == {ended.check().strip(): "shutdown"}


def test_an_impatient_second_signal_is_not_kept_waiting(server: Server) -> None:
    """Not with a deadline of ten hours either."""
    with black_hole() as endpoint:
        ended = played(
            """
            with runspan.span("work"):
                app.begin_run(client)
            server.force_exit = True
            asyncio.run(shut_down(server))
            os._exit(3)
            """,
            server,
            endpoint,
            timeout_s=36_000,
        )
    assert (ended.code, ended.err) == (3, "")


def test_uninstrument_gives_back_the_very_same_method(server: Server, receiver: Receiver) -> None:
    ended = played(
        """
        during = uvicorn.Server.shutdown
        app.begin_run(client)
        assert uvicorn.Server.shutdown is not during  # seen as soon as there are spans
        assert uvicorn.Server.shutdown.__wrapped__ is during
        runspan.uninstrument()
        assert uvicorn.Server.shutdown is during
        """,
        server,
        receiver,
    )
    ended.check()


@pytest.mark.parametrize(
    ("waited_s", "least_s", "most_s"), [(None, 5, 5), (2, 0, 3), (6, 0, 0), (30, 5, 5)], ids=str
)
def test_both_waits_of_one_end_are_one_deadline(
    waited_s: float | None, least_s: float, most_s: float
) -> None:
    """A receiver that hangs is not waited for twice; an end much later is another end."""
    handle = runspan.instrument(exit_timeout_s=5, endpoint="http://127.0.0.1:9")
    try:
        if waited_s is not None:
            handle._waiting_since_s = clock.monotonic_s() - waited_s
        with handle._exit_time(5) as left_s:
            assert least_s <= left_s <= most_s
    finally:
        runspan.uninstrument()
