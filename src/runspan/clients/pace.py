"""How far an app that reads a stream is behind its server.

Only a reader that had to wait for bytes has caught up. What lay in a buffer already was sent some time since it did so last.
"""

from __future__ import annotations

from ..runtime.clock import counter_ns, now_ns

WAITED_NS = 1_000_000  # bytes that are there already take less, but on a busy machine;
WAITED_SHARE = 4  # so to wait must also have taken a fourth of the time that the app spent elsewhere


class Pace:
    """Of one stream. Told of each read of bytes, asked about each event."""

    __slots__ = ("_caught_up_ns", "_last", "_since_ns")

    def __init__(self, since_ns: int) -> None:
        self._since_ns = since_ns  # nothing was sent before
        self._caught_up_ns: int | None = None
        self._last = 0  # when the last bytes came, by `counter_ns`; 0: none did

    def got(self, asked: int) -> None:
        """Bytes came that the app asked for at `asked` (by `counter_ns`)."""
        now = counter_ns()
        waited, worked = now - asked, asked - self._last if self._last else 0
        self._last = now
        if waited >= WAITED_NS and waited * WAITED_SHARE >= worked:
            self._caught_up_ns = now_ns()
        elif self._caught_up_ns is None:
            self._caught_up_ns = self._since_ns

    def moment(self) -> tuple[int, int]:
        """When the server sent what is seen now, at the earliest, and the present moment; the same where the app keeps up."""
        at_ns = now_ns()
        since_ns = self._caught_up_ns
        if since_ns is None or at_ns - since_ns < WAITED_NS:
            return at_ns, at_ns
        return since_ns, at_ns
