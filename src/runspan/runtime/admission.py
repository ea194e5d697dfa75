"""What may wait for the worker when it falls behind: whole answers go first, starts and ends of runs last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..apis.api import RUNS
from .records import (
    Call,
    Fetched,
    HandlerError,
    StreamChunk,
    StreamClosed,
    StreamDeltas,
    StreamEvent,
    weight,
)

DELTA_BYTES = 1_000  # about what an unread model of the client takes


def _weight_of_call(call: Call) -> int:
    return weight(call.result) + len(call.body or b"")


_WEIGHTS: Mapping[type, Callable[[Any], int]] = {
    Call: _weight_of_call,
    StreamEvent: lambda record: weight(record.payload),
    StreamDeltas: lambda record: DELTA_BYTES * len(record.data),
    StreamChunk: lambda record: len(record.data),
    Fetched: lambda record: weight(record.payload),
}


def weight_of(record: Any) -> int:
    """About how many bytes it keeps alive."""
    weigh = _WEIGHTS.get(type(record))
    return 0 if weigh is None else weigh(record)


def is_edge(record: Any) -> bool:
    """Whether a run would never begin or never end without it."""
    if isinstance(record, Call):
        route = record.match.route
        is_of_run = route.is_poll or (route.is_write and record.match.run_id is not None)
        return route.starts_run or (is_of_run and isinstance(record.result, bytes))
    if isinstance(record, StreamEvent):
        return record.stream.events.kind_of(record.name) in RUNS
    return isinstance(record, StreamClosed | HandlerError | Fetched)


def strip(record: Any) -> bool:
    """Leave of a call that has a span of its own only that it was made. False: it is all in what it brings."""
    if not isinstance(record, Call) or record.live is None:
        return False
    record.result = record.body = None
    return True


def call_of(record: Any) -> Call | None:
    """The call whose span has nobody else to end it."""
    if isinstance(record, StreamClosed):
        record = record.stream.call
    return record if isinstance(record, Call) else None


def starts_run(record: Any) -> bool:
    call = call_of(record)
    return call is not None and call.match.route.starts_run
