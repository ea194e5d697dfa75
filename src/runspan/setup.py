"""`instrument()` and what takes it back: the one handle that is on in this process."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import Any

from . import guard
from .config import resolve
from .handle import Handle as Handle

logger = logging.getLogger("runspan")

_lock = threading.RLock()  # a signal handler or finalizer may come in between
_handle: Handle | None = None
_forks: weakref.WeakSet[Handle] = weakref.WeakSet()


def instrument(**options: Any) -> Handle:
    """Trace every Run of every `openai` client in this process, from now on.

    Options are the fields of `Config` (see `docs/configuration.md`); they beat `RUNSPAN_*` variables, which beat the defaults.
    Raises ConfigError, with the cure, for options that are wrong; nothing of runspan raises later. Twice is once: the second
    call gives the first one's handle.
    """
    with _lock:
        if _handle is not None:
            if options and resolve(options, os.environ) != _handle.config:
                logger.warning(
                    "runspan: instrument() was called already; the other options of this call are ignored. "
                    "Call runspan.uninstrument() first to change them."
                )
            return _handle
        config = resolve(options, os.environ)
        handle = Handle(config, _forget)
        if not config.enabled:
            return handle
        kept = _keep(handle)
        if kept is not handle:
            return kept
    logger.info(
        "runspan: traces go to %s; metrics %s, content %s, background fetch %s",
        handle._providers.describe(),
        handle._meters.describe(),
        "on" if config.capture_content else "off",
        "on" if config.fetch == "auto" else "off",
    )
    return handle


def _keep(handle: Handle) -> Handle:
    """The one that is on from now on: another, where the making of this one was interrupted by another `instrument()`."""
    global _handle
    if _handle is None:
        _handle = handle
        try:
            handle._install()
        except BaseException:
            _handle = None
            raise
        _forks.add(handle)
    return _handle


def _forget(handle: Handle) -> None:
    global _handle
    with _lock:
        if _handle is handle:
            _handle = None


def current_handle() -> Handle | None:
    """What the `instrument()` that is on gave back; None where there is none."""
    return _handle


def uninstrument() -> bool:
    """Restore the client. Runs that are alive go out as unfinished. True: everything is out.

    In a coroutine it returns at once, as `flush()` does.
    """
    handle = _handle
    return handle.uninstrument() if handle is not None else True


def shutdown(timeout: float = 5.0) -> bool:
    """Flush and uninstrument, within `timeout` seconds. True: everything is out.

    In a coroutine it returns at once, as `flush()` does: `await runspan.aflush()` before.
    """
    handle = _handle
    return handle.uninstrument(timeout) if handle is not None else True


def flush(timeout: float = 5.0) -> bool:
    """Have everything that is over exported within `timeout` seconds. True: all of it is out, and nothing was left out.

    In a coroutine it returns at once and never waits for the event loop that it blocks. False: something is not out yet. It goes
    out later; `await runspan.aflush()` waits for it.
    """
    handle = _handle
    return handle.flush(timeout) if handle is not None else True


async def aflush(timeout: float = 5.0) -> bool:
    """`flush()` for coroutines of asyncio, also with uvloop: the event loop goes on while this waits, at most `timeout` seconds.

    Under trio it is no more than `flush()`.
    """
    handle = _handle
    return await handle.aflush(timeout) if handle is not None else True


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()
    for handle in list(_forks):
        with guard.guarded("start anew in a forked child"):
            handle._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
