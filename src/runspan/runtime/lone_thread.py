"""A daemon thread that ends when its work is done and is started again for what comes later. Never two; nothing waits for none."""

from __future__ import annotations

import threading
from collections.abc import Callable

BEGIN_S = 1.0  # the longest that a start waits for its thread to begin, which takes a moment


def is_late() -> bool:
    """Whether the main thread has ended. Python 3.12 starts no thread from then on, so exit hooks must work on their own."""
    return not threading.main_thread().is_alive()


class LoneThread:
    """`start` after each thing put into the queue of `work`; `has_more`: something waits in it. `start` never waits for `work`.

    The thread alone says that it runs. A Ctrl-C or a signal handler may interrupt a start anywhere. It may raise, or put something
    and wait for it: then `start` is called in the midst of itself, and of two threads the second ends at once.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        has_more: Callable[[], bool],
        prepare: Callable[[], None],
    ) -> None:
        self._name = name
        self._work = work
        self._has_more = has_more
        self._prepare = prepare
        self._starting = threading.RLock()
        self._working = threading.Lock()
        self._is_missed = False  # somebody came for whom the lock was taken
        self._is_preparing = False
        self._thread: threading.Thread | None = None
        self.is_running = False

    def start(self) -> bool:
        """See that it runs, `prepare` first if it doesn't yet. False: the system has no thread for us now."""
        while not self.is_running:
            self._is_missed = True
            if not self._starting.acquire(blocking=False):
                break
            try:
                self._is_missed = False
                if not self.is_running:
                    self._prepare_once()
                    begun = threading.Event()
                    threading.Thread(
                        target=self._run, args=(begun.set,), name=self._name, daemon=True
                    ).start()
                    begun.wait(BEGIN_S)
            except RuntimeError:
                return False
            finally:
                self._starting.release()
            if not self._is_missed:  # else it may have ended meanwhile, and what came then waits for us
                break
        return True

    def _prepare_once(self) -> None:
        """Not where this start came in the midst of it: `prepare` may put something itself."""
        if not self._is_preparing:
            self._is_preparing = True
            try:
                self._prepare()
            finally:
                self._is_preparing = False

    def do_here(self, work: Callable[[], None], begun: Callable[[], None] = lambda: None) -> bool:
        """Do `work` on the caller's thread. False: another thread is at it."""
        if not self._working.acquire(blocking=False):
            begun()
            return False
        try:
            self._thread = threading.current_thread()
            self.is_running = True
            begun()
            work()
        finally:
            self.is_running = False
            self._working.release()
        return True

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of its work. False: it is still at work, and on another thread."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _run(self, begun: Callable[[], None]) -> None:
        if self.do_here(self._work, begun) and self._has_more():  # came while it was leaving
            self.start()
