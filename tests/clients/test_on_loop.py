"""Work on the app's event loop, which may end at any moment."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from runspan.clients import on_loop


def test_a_loop_that_is_closed_before_it_tells_the_outcome_was_left() -> None:
    loop = asyncio.new_event_loop()

    def run() -> None:
        loop.run_forever()
        loop.close()

    async def work() -> None:
        loop.stop()  # the task is done then, and what it would call never runs

    thread = threading.Thread(target=run)
    thread.start()
    with pytest.raises(on_loop.LoopLeft):
        on_loop.run_there(loop, work, 10)
    thread.join()
    assert not on_loop._stranded


def test_what_others_leave_on_our_loop_is_not_in_the_apps_log(caplog: pytest.LogCaptureFixture) -> None:
    """A client of the app that is collected in our thread makes a task there that closes it."""

    async def fails() -> None:
        raise RuntimeError("Event loop is closed")

    async def work() -> int:
        others = [asyncio.get_running_loop().create_task(one) for one in (fails(), asyncio.sleep(60))]
        await asyncio.sleep(0)
        return len(others)

    assert on_loop.run_here(work, 10) == 2
    gc.collect()
    assert caplog.records == []
