"""Run one coroutine of ours from a fetch thread: on a loop of our own, or on the app's event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from ..runtime import clock
from ..runtime.fetcher import Unavailable

T = TypeVar("T")
Make = Callable[[], Coroutine[Any, Any, T]]

LOOK_S = 0.05  # how often a waiting thread looks whether the loop still runs
TIMEOUTS = (TimeoutError, asyncio.TimeoutError)  # one class since Python 3.11

# Tasks whose loop stopped under them. They are cancelled if it ever runs again.
# If they were collected before, asyncio would complain in the app's log.
_stranded: set[Any] = set()
MAX_STRANDED = 1_000


class LoopLeft(Exception):  # noqa: N818 - an answer, not a fault
    """The loop ended or stopped: ask in another way."""


class LoopBlocked(Exception):  # noqa: N818
    """The loop runs, but the app blocks it: nothing has begun, and nothing will."""


def ask(loop: Any, there: Make[T] | None, here: Make[T], timeout_s: float) -> T | None:
    """What `there()` gives on the app's loop, as long as that runs, else what `here()` gives in this thread.

    None: the app blocks its loop. Raises Unavailable after `timeout_s`.
    """
    try:
        if there is not None and loop is not None and loop.is_running():
            with suppress(LoopLeft):
                return run_there(loop, there, timeout_s)
        return run_here(here, timeout_s)
    except LoopBlocked:
        return None
    except TIMEOUTS:
        raise Unavailable from None


def run_there(loop: Any, make: Make[T], timeout_s: float) -> T:
    """The result of `make()`, made and run on `loop`. Raises LoopLeft, and after `timeout_s` LoopBlocked or TimeoutError."""
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    tasks: list[Any] = []

    def begin() -> None:  # the coroutine is made here: a loop that never runs this leaves none behind
        if outcome.set_running_or_notify_cancel():
            task = loop.create_task(make())
            tasks.append(task)
            task.add_done_callback(lambda done: _hand_over(done, outcome))

    try:
        loop.call_soon_threadsafe(begin)
    except RuntimeError:  # closed
        raise LoopLeft from None
    began_s = clock.monotonic_s()
    while not concurrent.futures.wait([outcome], LOOK_S).done:
        waited_s = clock.monotonic_s() - began_s
        is_running = loop.is_running()
        if is_running and waited_s <= timeout_s:
            continue
        if outcome.cancel():
            raise LoopBlocked if is_running else LoopLeft
        _strand(loop, tasks)
        raise TimeoutError if is_running else LoopLeft
    return outcome.result()


def _hand_over(task: Any, outcome: concurrent.futures.Future[Any]) -> None:
    if task.cancelled():  # the app's loop ends
        outcome.set_exception(LoopLeft())
    elif task.exception() is not None:
        outcome.set_exception(task.exception())
    else:
        outcome.set_result(task.result())


def _strand(loop: Any, tasks: list[Any]) -> None:
    """Cancel them, once the loop runs again."""
    for task in tasks:
        if len(_stranded) < MAX_STRANDED:
            _stranded.add(task)
        try:
            task.add_done_callback(_stranded.discard)
            loop.call_soon_threadsafe(task.cancel)
        except RuntimeError:  # closed: it never runs again
            _stranded.discard(task)


class _Loop(asyncio.SelectorEventLoop):
    """A loop that starts no thread: at the interpreter's exit none can be started, and this thread is ours to block."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: Any) -> None:
        """An async client of the app that is collected here closes itself on this loop, and fails, as its own loop is another.

        Collected in another thread, it does not try. So nothing of that goes to the app's log.
        """


def run_here(make: Make[T], timeout_s: float) -> T:
    """The result of `make()` on a loop of our own, in this thread. Raises TimeoutError (or asyncio's) after `timeout_s`."""
    loop = _Loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(make(), timeout_s))
    finally:
        with suppress(Exception):
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
