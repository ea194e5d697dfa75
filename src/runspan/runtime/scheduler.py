"""How long a run is waited for, and what is asked of its server then. One timer a run."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping

from ..apis.api import RUN
from ..config import Config
from ..core.model import RunKey, Source
from . import clock
from .fetcher import Fetcher
from .live_run import FIRST_LOOK_S, NOT_FOUND, SECOND_NS, Live

Runs = Mapping[RunKey, Live]

MAX_STALE = 1_000  # timers whose run is gone, before they are cleared away


class RunScheduler:
    """`missing(live)` names what a run still lacks; `finish(live, reason)` lets it go, `give_up(live)` its open streams.

    `catch_up(live)` takes in polls that the app's threads counted.
    """

    def __init__(
        self,
        config: Config,
        fetcher: Fetcher,
        runs: Runs,
        missing: Callable[[Live], list[str]],
        finish: Callable[[Live, str | None], None],
        give_up: Callable[[Live], None],
        catch_up: Callable[[Live], None],
    ) -> None:
        self._config = config
        self._fetcher = fetcher
        self._runs = runs
        self._missing = missing
        self._finish = finish
        self._give_up = give_up
        self._catch_up = catch_up
        self._linger_ns = int(config.limits.settle_s * SECOND_NS)
        self._timers: list[tuple[int, int, RunKey]] = []
        self._numbers = itertools.count()

    # ------------------------------------------------------------ timers

    def schedule(self, live: Live) -> None:
        """Set the run's timer. One that rings too early is set again, so polls leave nothing behind."""
        due_ns = self._when(live)
        if live.due_ns == 0 or due_ns < live.due_ns:
            live.due_ns = due_ns
            if len(self._timers) > 2 * len(self._runs) + MAX_STALE:
                self._timers = [timer for timer in self._timers if self._is_set(timer)]
                heapq.heapify(self._timers)
            heapq.heappush(self._timers, (due_ns, next(self._numbers), live.key))

    def next_due_ns(self) -> int | None:
        due_ns = [self._timers[0][0]] if self._timers else []
        retry_ns = self._fetcher.next_due_ns()
        return min(due_ns if retry_ns is None else [*due_ns, retry_ns], default=None)

    def tick(self, now_ns: int) -> None:
        """Do what is due."""
        self._fetcher.tend()
        while self._timers and self._timers[0][0] <= now_ns:
            timer = heapq.heappop(self._timers)
            live = self._runs.get(timer[2])
            if live is None or not self._is_set(timer):
                continue
            live.due_ns = 0
            self._catch_up(live)
            if self._when(live) <= now_ns:
                self._due(live, now_ns)
            else:
                self.schedule(live)

    def _is_set(self, timer: tuple[int, int, RunKey]) -> bool:
        """Whether it is its run's present timer; runs that went out and timers set anew leave stale ones."""
        live = self._runs.get(timer[2])
        return live is not None and live.due_ns == timer[0]

    def _when(self, live: Live) -> int:
        """When something is to be done for this run if nothing more is heard of it."""
        if live.ended_ns is not None:
            return live.expires_ns if live.asked else min(live.expires_ns, live.ended_ns + self._linger_ns)
        if live.gone_ns is not None:
            return min(live.expires_ns, live.gone_ns + FIRST_LOOK_S * SECOND_NS)
        if live.claim is not None and live.claim.source is not Source.STREAM:  # its stream may be forgotten
            return min(live.expires_ns, live.claimed_ns + FIRST_LOOK_S * SECOND_NS)
        is_others = live.span.is_shared  # nobody waits for what we would find
        if not self._config.background_fetch or is_others or live.open_streams or RUN in live.asked:
            return live.expires_ns
        is_first_look = live.closed_early and RUN not in live.tried
        return min(
            live.expires_ns, live.last_heard_ns + (self._linger_ns if is_first_look else live.look_after_ns)
        )

    def _due(self, live: Live, now_ns: int) -> None:
        if now_ns >= live.expires_ns or live.gone_ns is not None:
            self._finish(live, live.ending("expired_unseen"))
        elif live.ended_ns is not None:
            if self.ask(live):
                self.schedule(live)  # should the answer never come
            else:
                self._finish(live, None)
        elif live.claim is not None:
            self._give_up(live)
        else:
            is_first_look = live.closed_early and RUN not in live.tried
            live.tried.discard(RUN)
            if not self.ask(live):
                live.tried.add(RUN)  # there is nobody to ask, or not now
            if not is_first_look:
                live.look_after_ns = live.next_look_ns()
            live.last_heard_ns = now_ns
            self.schedule(live)

    def has_settled(self, live: Live) -> bool:
        """Whether the app has had its time to read the rest."""
        return live.ended_ns is not None and clock.now_ns() >= live.ended_ns + self._linger_ns

    # ------------------------------------------------------------ GETs

    def earn(self, server: str, calls: int) -> None:
        """The app made so many calls to `server`: the budget of our own grows with them."""
        self._fetcher.earn(server, calls)

    def prepare(self, live: Live) -> None:
        """A run begins that may lack something when it is over."""
        if self._config.background_fetch and live.via is not None:
            self._fetcher.prepare()

    def ask(self, live: Live) -> bool:
        """Send the GETs for what is missing. False: nothing is on its way."""
        if not self._config.background_fetch or live.via is None:
            return False
        if not self._fetcher.is_paused(live.via):
            for what in self._missing(live):
                if what not in live.asked:
                    live.asked.add(what)
                    self._fetcher.ask(live.via, live.key, what, *self.where(live, what))
        return bool(live.asked)

    def where(self, live: Live, what: str) -> tuple[str, dict[str, object]]:
        """Path and query of the GET for `what`."""
        follow_up = live.api.follow_ups[what]
        return follow_up.path(live.key), dict(follow_up.query(self._config.limits.max_input_messages))

    def is_waiting(self) -> bool:
        """Whether GETs are on their way."""
        return any(live.asked for live in self._runs.values())

    def expedite(self, *, look: bool, alive: bool) -> None:
        """End all lingering: ask now for what is missing.

        `look`: also once at runs whose stream was closed, with `alive` at every run that still lives.
        """
        for live in list(self._runs.values()):
            if live.ended_ns is not None:
                if not live.asked and not self.ask(live):
                    self._finish(live, None)
                continue
            self._catch_up(live)
            if live.gone_ns is not None:
                self._finish(live, live.ending(NOT_FOUND))
            elif look and not live.span.is_shared and (alive or live.closed_early):
                live.tried.discard(RUN)
                self.ask(live)
