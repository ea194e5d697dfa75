"""What our exporters of spans and of metrics have in common: they complain once, and do not try an address that refuses."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..guard import logger
from .answers import START
from .batching import Batching
from .sending import Haste, Tries

Result = TypeVar("Result")

FULL = (
    "runspan: spans end faster than they can be sent to %s, so some are dropped. Raise OTEL_BSP_MAX_QUEUE_SIZE (2048 unless it is "
    "set), or observe fewer functions that are called very often. This is logged once; stats().dropped counts them."
)


def refuses(door: tuple[str, int] | None) -> bool:
    """Whether nothing listens at this host and port; None: not known."""
    try:
        if door is not None:
            socket.create_connection(door, timeout=0.2).close()
    except OSError as error:  # one that is slow, unknown or filtered is for the exporter to find out
        return isinstance(error, ConnectionRefusedError)
    return False


def is_known_to_refuse(door: tuple[str, int] | None) -> bool:
    """The same, for a thread that must not wait: False where a name server would have to be asked, which may take its time."""
    try:
        needs_no_lookup = door is not None and (door[0] == "localhost" or ipaddress.ip_address(door[0]))
    except ValueError:
        return False
    return bool(needs_no_lookup) and refuses(door)


class ComplainsOnce:
    """Lets an exporter complain once, not at each export."""

    def __init__(self, where: str, inner: Any) -> None:
        self.where = where
        self.inner = inner
        self._tries: Tries | None = getattr(inner, "tries", None)  # of our own exporters
        self.failed = 0
        self._is_trying = False
        self._is_failing = False

    def _tried(self, failure: Result, *arguments: Any) -> Result:
        """What the export comes to; `failure` where it raises."""
        self._is_trying = True
        try:
            result: Result = self.inner.export(*arguments)
        except Exception:
            result = failure
        finally:
            self._is_trying = False
        return result

    def hasten(self, haste: Haste) -> None:
        """How patient its tries are from now on; exporters of other packages stay as they are."""
        if self._tries is not None:
            self._tries.hasten(haste)

    def _door(self) -> tuple[str, int] | None:
        return None if self._tries is None else self._tries.sender.door()

    def _complain(self, what: str, cure: str) -> None:
        if not self._is_failing:
            self._is_failing = True
            line = "runspan: cannot send %s to %s. %s This is logged once until it works again."
            logger.warning(line, what, self.where, cure)


class CarefulExporter(ComplainsOnce, SpanExporter):
    """Counts what an exporter could not deliver."""

    def __init__(self, where: str, inner: SpanExporter, batching: Mapping[str, Any] | None = None) -> None:
        super().__init__(where, inner)
        self._batching = batching or {}
        self._settled = 0  # delivered or failed
        self._is_given_up = False
        self._has_told_of_full = False
        self._processor: Batching | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._tried(SpanExportResult.FAILURE, spans)
        self._settled += len(spans)
        self._tell_of_full()
        if self._is_given_up:  # they were counted then
            return result
        if result is SpanExportResult.SUCCESS:
            self._is_failing = False
        else:
            self._lose(len(spans) - getattr(self.inner, "delivered", 0))
        return result

    def _tell_of_full(self) -> None:
        """Here, because the app's thread that ends a span must not log."""
        if self.overflown and not self._has_told_of_full:
            self._has_told_of_full = True
            logger.warning(FULL, self.where)

    def batched(self) -> Batching:
        """The processor in front of it."""
        self._processor = Batching(self, **self._batching)
        return self._processor

    def stay_behind(self) -> None:
        """In a forked child: what is here is the parent's."""
        if self._processor is not None:
            self._processor.stay_behind()
        self._forget_connections()

    def begin_anew(self) -> None:
        """In a forked child that goes on with it: what waits is the parent's."""
        self._settled, self._is_trying, self._is_given_up = 0, False, False
        if self._processor is not None:
            self._processor.begin_anew()
        self._forget_connections()

    def _forget_connections(self) -> None:
        if self._tries is not None:
            self._tries.sender.forget()

    @property
    def taken(self) -> int:
        """Spans that were to be delivered, so far."""
        return self._processor.taken if self._processor is not None else self._settled

    @property
    def overflown(self) -> int:
        """Spans that ended faster than they went out."""
        return self._processor.overflown if self._processor is not None else 0

    def is_refused(self) -> bool:
        """Whether nothing listens there, as far as that is known at once."""
        return is_known_to_refuse(self._door())

    def give_up(self) -> None:
        """The process ends while the exporter still tries (for 10 s): what it has, and what waits for it."""
        left = self.taken - self._settled - self.overflown
        if self._is_trying:  # in pieces: some may be there already
            left -= getattr(self.inner, "delivered", 0)
        self._is_given_up = True
        if left > 0:
            self._lose(left)

    def _lose(self, count: int) -> None:
        self.failed += count
        self._complain(f"{count} {'span' if count == 1 else 'spans'}", getattr(self.inner, "cure", START))

    def shutdown(self) -> None:
        self.inner.shutdown()
