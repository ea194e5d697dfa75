"""`runspan.handoff` and `runspan.adopt`: a run created by one process, seen through by another, is one trace."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from .guard import guarded
from .runtime import active, otel_context


def handoff(run_id: str) -> dict[str, str]:
    """Give a live run of this process away, to the one that gets the returned headers and calls `adopt` with them.

        job.enqueue(run.id, headers=runspan.handoff(run.id))

    `{"traceparent": ..., "runspan": ...}`, with `tracestate` and `baggage` where there are any: short ASCII strings, fit for the
    headers of a task queue or of HTTP. From now on this process only counts the run (`stats().handed_off`); it is emitted by the
    one that adopts it, or not at all. Asked twice, it gives the same headers.

    Of a run that is not alive here (unknown, over and emitted, created before `instrument()`, sampled out) nothing is given away:
    then the headers are those of what is current here, which may be none. Without `instrument()`: `{}`. Never raises.
    """
    state = active.now
    if state is not None:
        with guarded("hand off a run"):
            headers: dict[str, str] = state.handoffs.hand_off(run_id)
            return headers
    return {}


def adopt(run_id: str, carrier: Mapping[str, object]) -> Adopted:
    """Take over the run that another process handed off: this process emits it, once, as a part of the creator's trace.

        with runspan.adopt(run_id, headers):
            work()

    `carrier` is what `handoff` returned; it may stand among other headers. Call it before or after the run is first read here. As a
    context manager it also puts what runs inside into the creator's trace. Without `with`, only the run is taken over.

    A run whose end is never seen here goes out as unfinished after its time to live. A carrier that holds no run changes nothing
    and is worth one line in the log; an unsampled one means that the run is not recorded here either. Never raises.
    """
    state = active.now
    context = None
    if state is not None:
        with guarded("adopt a run"):
            context = state.handoffs.adopt(run_id, carrier)
    return Adopted(context)


class Adopted:
    """What `adopt` returns: `with` it, spans begun inside belong to the creator's trace."""

    __slots__ = ("_context", "_entered")

    def __init__(self, context: Any) -> None:
        self._context = context
        self._entered: list[tuple[Any, Any] | None] = []

    def __enter__(self) -> Adopted:
        with guarded("enter the context of an adopted run"):
            outer = otel_context.current()
            self._entered.append(
                None if self._context is None else (otel_context.attach(self._context), outer)
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with guarded("leave the context of an adopted run"):
            entered = self._entered.pop()
            if (
                entered is not None
                and not otel_context.undo(entered[0])
                and otel_context.current() is self._context
            ):
                otel_context.attach(entered[1])  # left in a copy of the context that it was entered in
