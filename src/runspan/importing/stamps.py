"""A clock out of server stamps alone: whole seconds, of one server, some of them unset.

A call is taken to have been made no earlier than the latest stamp that the archive showed before it, and answered within that
second. The order of calls holds: each comes a microsecond behind the one before.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.timing import SECOND_NS
from ..runtime.lru import Lru

TICK_NS = 1_000
MAX_TICKS = 500_000  # half a second
MAX_PLACES = 10_000

Times = tuple[int, int]  # request_ns, response_ns


class StampClock:
    """By conversation: the moments of one depend on nothing else, so they are the same in every import."""

    def __init__(self) -> None:
        self._known: Lru[str, tuple[int, int]] = Lru(
            MAX_PLACES
        )  # place -> latest stamp, calls since the first
        self._last: int | None = None  # stamp that was seen anywhere

    def of_call(self, place: str, stamps: Sequence[int], *, is_later: bool = False) -> Times | None:
        """Of a call whose answer shows these stamps. None: there is no stamp to go by, neither here nor before it.

        `is_later`: it shows what was there when all that is known had happened.
        """
        known = self._known.get(place)
        latest = max((*stamps, *([known[0]] if known else [])), default=self._last)
        if latest is None:
            return None
        self._last = latest
        at_ns = latest * SECOND_NS + self._tick(place, latest)
        return (at_ns + SECOND_NS,) * 2 if is_later else (at_ns, at_ns + SECOND_NS)

    def of_start(self, place: str, stamps: Sequence[int]) -> Times:
        """Of the call that started a run, whose first stamp is that of the start: everything else is placed from there."""
        known = self._known.get(place)
        latest = max(*stamps, known[0] if known else 0, 0)
        self._last = latest
        at_ns = stamps[0] * SECOND_NS + self._tick(place, latest)
        is_over_at_once = max(stamps) > stamps[0]
        return at_ns, (max(stamps) + 1) * SECOND_NS if is_over_at_once else at_ns

    def _tick(self, place: str, latest: int) -> int:
        _, count = self._known.get(place) or (0, 0)
        self._known.put(place, (latest, count + 1))
        return count % MAX_TICKS * TICK_NS
