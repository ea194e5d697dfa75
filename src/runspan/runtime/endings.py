"""Ends of a process that run none of Python's exit hooks, and what delivers before them. No signal handler is installed.

- A process that **raises a signal against itself**. A server ends gracefully, puts the signal's default handler back and raises the
  signal once more, so that whoever started the server sees the true cause: uvicorn, its workers, uvicorn's workers under gunicorn,
  twistd, and many a script. The kernel ends the process inside that call. So the wrappers here deliver right before the call.
- **uvicorn** shuts down before that. It catches signals meanwhile, but not afterwards: then a second one, which a supervisor sends
  after a Ctrl-C, ends the process at any moment. So what is over goes out at the end of `Server.shutdown`.
- A child of **Celery's pool** leaves by `os._exit`, after a signal of Celery's own. Where Celery uses its broker in threads, one of
  them renews the children, and as soon as it ends the kernel kills them, as Celery asks for (PR_SET_PDEATHSIG): early in a warm
  shutdown, even within a task, and unannounced. So what is over sets out at the end of each of their tasks.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

from ..guard import guarded

# Signals that ask a process to end. SIGKILL and SIGABRT are for an end at once, so they stay as quick as they are.
ENDING = frozenset(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGBREAK")
    if hasattr(signal, name)
)


def _of_signal(*args: Any) -> Any:
    """`raise_signal(signal)`, `pthread_kill(thread, signal)`: whatever the thread, the process ends."""
    return args[-1] if args else None


def _of_kill(*args: Any) -> Any:
    """`kill(pid, signal)`; 0 and a negative number mean a group of processes."""
    return args[1] if len(args) == 2 and args[0] in (os.getpid(), 0, -_group()) else None


def _of_killpg(*args: Any) -> Any:
    return args[1] if len(args) == 2 and args[0] in (0, _group()) else None


def _group() -> int:
    return os.getpgrp() if hasattr(os, "getpgrp") else 0


# Functions by which a process signals itself: module, name, and the signal that a call with these arguments raises in this process.
RAISING: tuple[tuple[ModuleType, str, Callable[..., Any]], ...] = (
    (signal, "raise_signal", _of_signal),
    (signal, "pthread_kill", _of_signal),
    (os, "kill", _of_kill),
    (os, "killpg", _of_killpg),
)


LOOK_S = 0.05  # how often a server that waits for us is asked whether it has become impatient


class Endings:
    """Between `install()` and `remove()`, `deliver()` runs before such an end, and `arrive()` when uvicorn shuts down.

    `set_out()` begins to send what is over, and waits for nothing.
    """

    def __init__(
        self,
        deliver: Callable[[], object],
        arrive: Callable[[], Awaitable[object]],
        set_out: Callable[[], object],
    ) -> None:
        self._deliver = deliver
        self._arrive = arrive
        self._set_out = set_out
        self._patched: list[tuple[Any, str, Any, Any]] = []  # module or class, name, original, ours
        self._uvicorn: Any = None
        self._pool_signals: dict[Any, Callable[..., None]] = {}  # Celery's, with what hears them

    def install(self) -> None:
        for module, name, raised in RAISING:
            original = getattr(module, name, None)
            if original is None:  # no such function on this platform
                continue
            self._patch(module, name, original, self._delivering(original, raised))

    def _patch(self, owner: Any, name: str, original: Any, ours: Any) -> None:
        setattr(owner, name, ours)
        self._patched.append((owner, name, original, ours))

    def look_around(self) -> None:
        """Connect to uvicorn and Celery, where they are imported by now. They are, once a process of theirs has spans.

        A call that was in flight at `remove()` may still bring spans: then nothing may be put on that nobody takes off.
        """
        if not self._patched:
            return
        if self._uvicorn is None and "uvicorn.server" in sys.modules:
            with guarded("see the end of uvicorn"):
                self._uvicorn = getattr(sys.modules["uvicorn.server"], "Server", None)
                original = getattr(self._uvicorn, "shutdown", None)
                if original is not None:
                    self._patch(self._uvicorn, "shutdown", original, self._arriving(original))
        if not self._pool_signals and "celery" in sys.modules:
            with guarded("connect to Celery's pool"):
                signals = sys.modules.get("celery.signals")
                for name, hears in (
                    ("worker_process_shutdown", self._leaves_pool),
                    ("task_postrun", self._ends_task),
                ):
                    if (heard := getattr(signals, name, None)) is not None:
                        heard.connect(hears, weak=False)
                        self._pool_signals[heard] = hears

    def remove(self) -> None:
        """Every attribute is what it was. Where somebody wrapped ours since, ours steps aside inside."""
        for owner, name, original, ours in self._patched:
            if getattr(owner, name) is ours:
                setattr(owner, name, original)
        self._patched.clear()
        self._uvicorn = None
        for heard, hears in self._pool_signals.items():
            with guarded("disconnect from Celery's pool"):
                heard.disconnect(hears)
        self._pool_signals.clear()

    def _leaves_pool(self, **_: Any) -> None:
        with guarded("deliver before a process of Celery's pool ends"):
            self._deliver()

    def _ends_task(self, **_: Any) -> None:
        if threading.main_thread().name != "MainThread":  # a thread has forked this process
            with guarded("send what is over at the end of a task"):
                self._set_out()

    def _arriving(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(original)
        async def ours(server: Any, *args: Any, **kwargs: Any) -> Any:
            result = await original(server, *args, **kwargs)
            if self._patched:
                with guarded("deliver at the end of uvicorn"):
                    await self._while_patient(server)
            return result

        return ours

    async def _while_patient(self, server: Any) -> None:
        """Until all has arrived, or a second Ctrl-C says that it need not."""
        import asyncio

        arriving = asyncio.ensure_future(self._arrive())
        try:
            while not arriving.done() and not getattr(server, "force_exit", False):
                await asyncio.wait([arriving], timeout=LOOK_S)
            if arriving.done():
                arriving.result()
        finally:
            arriving.cancel()

    def _delivering(self, original: Callable[..., Any], raised: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def ours(*args: Any, **kwargs: Any) -> Any:
            try:
                with guarded("deliver before a signal ends the process"):
                    if self._patched and _ends_process(raised(*args)):
                        self._deliver()
            finally:  # a second, impatient Ctrl-C may interrupt the delivery, never the signal
                result = original(*args, **kwargs)
            return result

        return ours


def _ends_process(signalnum: Any) -> bool:
    """Whether this signal, raised on this thread, ends the process at once: it has its default handler and is not blocked."""
    if not isinstance(signalnum, int) or signalnum not in ENDING:
        return False
    if signal.getsignal(signalnum) is not signal.SIG_DFL:
        return False
    return not hasattr(signal, "pthread_sigmask") or signalnum not in signal.pthread_sigmask(
        signal.SIG_BLOCK, ()
    )


def stay_interrupted() -> None:
    """A Ctrl-C that ended the app ends the process by SIGINT, unless CPython has run the text of a program since; then by status 1.

    Modules with dataclasses do so, and may be imported at the end (that of prices, say). So the interrupt is raised once more.
    """
    if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):  # nor at a prompt
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102 - nothing else tells CPython
