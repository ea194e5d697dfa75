"""The server's clock. Every stamp the fake gives is this clock's time, cut to whole Unix seconds."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable


class Clock:
    """Real time, shifted by `offset_s` seconds (a server whose clock is wrong by that much)."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def now(self) -> float:
        """Unix seconds."""
        return time.time() + self.offset_s

    def polled(self) -> None:
        """A client looked at something that makes progress (a run, a vector store file, a batch)."""

    async def wait(self, until: float, changed: asyncio.Event) -> None:
        """Until the clock shows `until` (Unix seconds) or `changed` is set, whichever is first."""
        await self.watch(until, changed)

    async def watch(self, until: float, changed: asyncio.Event) -> None:
        """The same for one who only looks on: no wait of this kind moves simulated time."""
        with contextlib.suppress(asyncio.TimeoutError):  # its own class before Python 3.11
            await asyncio.wait_for(changed.wait(), max(0.0, until - self.now()))
        changed.clear()


class SimulatedClock(Clock):
    """Time that moves only when told to, so that a run of 30 s takes none.

    With `poll_step_s`, each poll moves it by so many seconds and each wait of a stream moves it to the
    wait's end. With `poll_step_s=None` only `advance` does. Safe to use from any thread.
    """

    def __init__(
        self, start: float = 1_700_000_000.0, *, poll_step_s: float | None = 1.0, offset_s: float = 0.0
    ) -> None:
        super().__init__(offset_s)
        self.poll_step_s = poll_step_s
        self._now = start
        self._lock = threading.Lock()
        self._wakers: set[Callable[[], None]] = set()

    def now(self) -> float:
        return self._now + self.offset_s

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds
            wakers = tuple(self._wakers)
        for wake in wakers:
            wake()

    def polled(self) -> None:
        if self.poll_step_s is not None:
            self.advance(self.poll_step_s)

    async def wait(self, until: float, changed: asyncio.Event) -> None:
        if self.poll_step_s is not None:
            self.advance(max(0.0, until - self.now()))
            await asyncio.sleep(0)  # others are served between two waits, as in real time
        else:
            await self.watch(until, changed)

    async def watch(self, until: float, changed: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        with self._lock:
            self._wakers.add(wake)
        try:
            if self.now() < until:  # read after joining the wakers: an advance in between is not lost
                await changed.wait()
        finally:
            with self._lock:
                self._wakers.discard(wake)
        changed.clear()
