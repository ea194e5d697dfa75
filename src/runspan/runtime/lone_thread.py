"""A daemon thread that ends when its work is done and is started again for what comes later. Never two; nothing waits for none."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LoneThread:
    """`start` after each thing put into the queue of `work`; `has_more`: something waits in it. Nothing here blocks."""

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
        self._starting = threading.Lock()
        self._is_missed = False  # somebody came for whom the lock was taken
        self.is_running = False

    def start(self) -> bool:
        """See that it runs, `prepare` first if it doesn't yet. False: the system has no thread for us now."""
        while not self.is_running:
            self._is_missed = True
            if not self._starting.acquire(blocking=False):
                break
            self._is_missed = False
            try:
                if not self.is_running:
                    self.is_running = True
                    self._prepare()
                    threading.Thread(target=self._run, name=self._name, daemon=True).start()
            except RuntimeError:
                self.is_running = False
                return False
            finally:
                self._starting.release()
            if not self._is_missed:  # else it may have ended meanwhile, and what came then waits for us
                break
        return True

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self.is_running = False
        if self._has_more():  # came while it was leaving
            self.start()
