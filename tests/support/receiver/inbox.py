"""What a receiver keeps: bounded, shared by the connections' threads, and able to be waited for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from runspan.viewer.spans import LogRecord, Span
from tests.support.receiver.metrics import Metric
from tests.support.receiver.signals import Item


@dataclass(frozen=True, slots=True)
class Request:
    """One POST as it came in, also one that was refused."""

    path: str
    headers: Mapping[str, str]  # names in lower case; of a header given twice the last one
    size: int  # bytes of the body read from the wire, before decompression
    status: int  # the HTTP status of the answer


Kept = TypeVar("Kept", Span, Metric, LogRecord, Request)


class Inbox:
    """The newest items of each kind; the oldest go when a limit is reached."""

    def __init__(self, *, max_items: int, max_requests: int) -> None:
        self._changed = threading.Condition()
        self._kept: Mapping[type, deque[Any]] = {
            Span: deque(maxlen=max_items),
            Metric: deque(maxlen=max_items),
            LogRecord: deque(maxlen=max_items),
            Request: deque(maxlen=max_requests),
        }
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Spans, metrics and log records that made room for newer ones."""
        return self._dropped

    def add(self, request: Request, items: Iterable[Item]) -> None:
        """One request and all that it brought, seen by readers at once or not at all."""
        with self._changed:
            self._kept[Request].append(request)
            for item in items:
                kept = self._kept[type(item)]
                self._dropped += len(kept) == kept.maxlen
                kept.append(item)
            self._changed.notify_all()

    def all(self, kind: type[Kept]) -> tuple[Kept, ...]:
        """Everything kept of one kind, oldest first."""
        with self._changed:
            return tuple(self._kept[kind])

    def wait(self, kind: type[Kept], count: int, timeout_s: float) -> tuple[Kept, ...]:
        """Everything kept of one kind as soon as there are `count`; `TimeoutError` says how far it got."""
        kept = self._kept[kind]
        with self._changed:
            if not self._changed.wait_for(lambda: len(kept) >= count, timeout_s):
                raise TimeoutError(f"{len(kept)} of {count} {kind.__name__.lower()}s after {timeout_s} s")
            return tuple(kept)

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            for kept in self._kept.values():
                kept.clear()
            self._dropped = 0
