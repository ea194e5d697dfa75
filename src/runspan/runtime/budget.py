"""How many background GETs one server may get: they follow the app's own calls.

So a small app adds little traffic, and the runs of a busy one are whole.
"""

from __future__ import annotations

CALLS_PER_GET = 2  # one GET for every two calls of the app
INTERVAL_NS = 200_000_000  # and never fewer than 5 a second
MAX_CALLS = 2_000  # calls that can be saved up, so that a burst after a long pause is bounded


class Budget:
    """`earn` for each call of the app; `ready_ns` says when the next GET may go; `take` spends it. Not locked."""

    __slots__ = ("_calls", "_paced_ns")

    def __init__(self) -> None:
        self._calls = 0  # earned and not spent
        self._paced_ns = 0  # when a GET may go that was not earned

    def earn(self, calls: int) -> None:
        self._calls = min(self._calls + calls, MAX_CALLS)

    def ready_ns(self, now_ns: int) -> int:
        """`now_ns`, or a later moment."""
        return now_ns if self._calls >= CALLS_PER_GET else max(now_ns, self._paced_ns)

    def take(self, now_ns: int) -> None:
        """Spend one GET, earned if there is one. Either way the pace starts anew: the floor is no surplus."""
        if self._calls >= CALLS_PER_GET:
            self._calls -= CALLS_PER_GET
        self._paced_ns = now_ns + INTERVAL_NS
