"""Work on the app's event loop, which may end at any moment."""

from __future__ import annotations

import asyncio
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
