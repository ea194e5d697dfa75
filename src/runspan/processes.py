"""`runspan.handoff` and `runspan.adopt`: a run created by one process, seen through by another, is one trace."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from .guard import guarded
from .runtime import active, otel_context


def handoff(run_id: str) -> dict[str, str]:
    """Give a live run of this process to another process, which exports it.

    ```python
    headers = runspan.handoff("run_abc123")
    ```

    Pass the headers to the other process, and call `runspan.adopt` there. From now on this process only counts the run
    (`stats().handed_off`). If no process adopts the run, nobody exports it.

    Args:
        run_id: Id of a Run or of a background Response that this process created and that has not been exported.

    Returns:
        Short ASCII strings for the headers of a task queue or of HTTP: `traceparent` and `runspan`, with `tracestate` and
        `baggage` if there are any. The same headers if it is called twice. For a run that is not alive here, the headers of
        the current span, which may be empty. Without `instrument()`, an empty dict. It never raises.
    """
    state = active.now
    if state is not None:
        with guarded("hand off a run"):
            headers: dict[str, str] = state.handoffs.hand_off(run_id)
            return headers
    return {}


def adopt(run_id: str, carrier: Mapping[str, object]) -> Adopted:
    """Take over a run that another process handed off. This process exports it, in the trace of the process that created it.

    ```python
    headers = {"traceparent": "...", "runspan": "..."}  # what runspan.handoff() returned
    with runspan.adopt("run_abc123", headers):
        ...  # read the run here
    ```

    Inside the `with` block, new spans belong to the trace of the run. Without `with`, only the run is taken over. Call it
    before or after this process first reads the run. If the end of the run is never seen, it is exported as unfinished when
    its time to live has passed.

    Args:
        run_id: Id of the run.
        carrier: The headers that `handoff` returned. Other headers may stand among them.

    Returns:
        A context manager. Headers that hold no run change nothing and cost one log line. It never raises.
    """
    state = active.now
    context = None
    if state is not None:
        with guarded("adopt a run"):
            context = state.handoffs.adopt(run_id, carrier)
    return Adopted(context)


class Adopted:
    """What `adopt` returns. In its `with` block, new spans belong to the trace of the adopted run."""

    __slots__ = ("_context", "_entered")

    def __init__(self, context: Any) -> None:
        self._context = context
        self._entered: list[tuple[Any, Any] | None] = []

    def __enter__(self) -> Adopted:
        with guarded("enter the context of an adopted run"):
            outer, inner = otel_context.current(), self._context
            self._entered.append(None if inner is None else (otel_context.attach(inner), outer))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with guarded("leave the context of an adopted run"):
            entered = self._entered.pop()
            if entered and not otel_context.undo(entered[0]) and otel_context.current() is self._context:
                otel_context.attach(entered[1])  # left in a copy of the context that it was entered in
