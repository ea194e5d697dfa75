"""The caller's side of a flush: a thread that waits, a coroutine that waits, a coroutine that must not.

A thread in which an event loop runs is never made to wait for what that loop may have to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from . import clock, loops
from .flushes import Answer, Flush

BLOCKED_S = 0.1  # the longest that a flush holds up an event loop
LONGEST_S = 1e8  # three years; the system's clocks take no infinity

Begin = Callable[[Flush], bool]  # False: it is too late, nobody will be answered


class Waiter:
    """An answer that a thread waits for; the first one counts."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._ok = False

    def __call__(self, ok: bool) -> None:
        if not self._done.is_set():
            self._ok = ok
            self._done.set()

    def wait(self, timeout_s: float) -> bool:
        return self._done.wait(min(timeout_s, LONGEST_S)) and self._ok


def wait(begin: Begin, timeout_s: float, *, closing: bool = False, then: Answer | None = None) -> bool:
    """The flush's answer within `timeout_s`; within `BLOCKED_S` where an event loop runs in this thread. The flush goes on then."""
    waiter = Waiter()
    blocks = loops.running() is not None
    flush = Flush.within(timeout_s, waiter, closing=closing, patient=blocks, then=then)
    return begin(flush) and waiter.wait(min(timeout_s, BLOCKED_S) if blocks else timeout_s)


def wait_to_the_end(begin: Begin, timeout_s: float) -> bool:
    """A closing flush's answer within `timeout_s`, for a process that ends: it waits in an event loop's thread, too.

    Supervisors ask more than once: gunicorn's master sends SIGQUIT after the terminal's Ctrl-C, a pool's parent SIGTERM. A handler
    that raises SystemExit says no more than what is under way, so the wait goes on and the exit is raised after it. Anything else
    ends the wait, such as the KeyboardInterrupt of a second Ctrl-C.
    """
    until_s = clock.monotonic_s() + timeout_s
    asked: SystemExit | None = None
    while True:
        try:
            waiter, left_s = Waiter(), max(0.0, until_s - clock.monotonic_s())
            ok = begin(Flush.within(left_s, waiter, closing=True)) and waiter.wait(left_s)
            break
        except SystemExit as error:
            asked = error
    if asked is not None:
        raise asked
    return ok


async def await_(begin: Begin, timeout_s: float) -> bool:
    """The same for a coroutine of asyncio. Where it is cancelled, the flush goes on. Elsewhere (trio) it waits as a thread does."""
    loop = loops.running()
    if loop is None:
        return wait(begin, timeout_s)
    import asyncio

    answered: asyncio.Future[bool] = loop.create_future()

    def answer(ok: bool) -> None:
        with suppress(RuntimeError):  # the loop is closed by now
            loop.call_soon_threadsafe(lambda: None if answered.done() else answered.set_result(ok))

    if not begin(Flush.within(timeout_s, answer)):
        return False
    try:
        return await asyncio.wait_for(answered, timeout_s)
    except asyncio.TimeoutError:
        return False
