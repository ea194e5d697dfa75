"""Units of work: the request, job, task or observed function in which something happens.

Python has no name for them, and one thread or task may serve many users one after the other. So a unit is known by signs: the
current trace and span, the user and session that `runspan.context` gives, the thread and task, and the calls that led to the code.
"""

from __future__ import annotations

import inspect
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context

from ..conventions.observed import USER
from ..conventions.openinference import SESSION
from . import context_attributes, otel_context

SpanId = tuple[int, int]  # trace id, span id
Frame = tuple[CodeType, int, int]  # which code, in which call of it (its id), and where in the code
MAX_FRAMES = 200  # of the outermost part of a stack


@dataclass(frozen=True, slots=True, eq=False)
class WorkUnit:
    """One moment of a unit of work. Holds nothing of the app's alive."""

    about: tuple[Any, ...]  # trace id, user, session; None where it is not known
    around: tuple[
        SpanId, ...
    ]  # the spans that the code runs inside, innermost first, as far as they are known
    span: weakref.ref[Any] | None  # the innermost one, if it is recorded here
    worker: tuple[Any, ...]  # thread and task
    stack: tuple[Frame, ...]  # outermost first

    def is_another_than(self, now: WorkUnit) -> bool:
        """Whether trace, user or session say that `now` belongs to another unit of work."""
        return any(a and b and a != b for a, b in zip(self.about, now.about, strict=True))

    def may_go_on_at(self, now: WorkUnit) -> bool:
        """Whether `now` may be a later step of the same unit of work, if it is not another one."""
        is_same_trace = self.about[0] is not None and self.about[0] == now.about[0]
        return is_same_trace or self.worker != now.worker or _goes_on(self.stack, now.stack)

    def is_around(self, now: WorkUnit) -> bool:
        """Whether `now` is inside the span that was current here, and that span is still open."""
        return bool(self.around) and self.around[0] in now.around and self.is_open()

    def is_apart_from(self, other: WorkUnit) -> bool:
        """Whether it has an open span of its own, which is not below that of `other`."""
        return self.span is not None and self.is_open() and other.around[0] not in self.around

    def is_open(self) -> bool:
        """Whether the span that was current has not ended, as far as that can be seen."""
        span = None if self.span is None else self.span()
        return self.span is None or (span is not None and bool(span.is_recording()))


def here(context: Context | None = None) -> WorkUnit:
    """The unit of work of the running code, or the one that `context` will be current in."""
    context = otel_context.current() if context is None else context
    task = _task()
    span = trace.get_current_span(context)
    given = context_attributes.of(context)
    said = {} if given is None else given.attributes
    around = tuple(_spans_around(context))
    return WorkUnit(
        (around[0][0] if around else None, said.get(USER), said.get(SESSION)),
        around,
        weakref.ref(span) if span.is_recording() else None,
        (threading.get_ident(), None if task is None else weakref.ref(task)),
        _stack(task),
    )


def _spans_around(context: Context | None) -> Iterator[SpanId]:
    """The current span, and those around observed functions further out."""
    while context is not None:
        own = trace.get_current_span(context).get_span_context()
        if own.is_valid:
            yield own.trace_id, own.span_id
        observed: Any = context.get(otel_context.OBSERVED)
        context = None if observed is None else observed.outer


def _task() -> Any:
    asyncio = sys.modules.get("asyncio")
    try:
        return None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return None


def _stack(task: Any) -> tuple[Frame, ...]:
    """Of the thread, or of the task: what is outside of its coroutine is the loop's."""
    outside = getattr(getattr(task, "get_coro", lambda: None)(), "cr_frame", None)
    outside = None if outside is None else outside.f_back
    frames = []
    frame = caller_of(inspect.currentframe())
    while frame is not None and frame is not outside:
        frames.append((frame.f_code, id(frame), frame.f_lasti))
        frame = frame.f_back
    return tuple(frames[: -MAX_FRAMES - 1 : -1])


def caller_of(frame: FrameType | None) -> FrameType | None:
    """None on an interpreter that shows no frames: then spans and tool calls are matched by their context alone."""
    return None if frame is None else frame.f_back


def _goes_on(then: tuple[Frame, ...], now: tuple[Frame, ...]) -> bool:
    """Whether code at `now` may be a later step of the function that led to `then`.

    Seen from outside, the two ways part in one function. If that function went on to another line, it may be one unit of work.
    If it made another call from the very same place, it is a loop that hands out jobs.
    """
    for (code, call, at), (code_now, call_now, at_now) in zip(then, now, strict=False):
        if code is not code_now or call != call_now:
            return False
        if not _is_same_place(code, at, at_now):
            return True
    return True


def _is_same_place(code: CodeType, at: int, at_now: int) -> bool:
    """Of one call in the source: CPython makes other instructions of it once it has run often."""
    if at == at_now or not hasattr(code, "co_positions"):  # Python 3.10 has neither
        return at == at_now
    positions = list(code.co_positions())
    return bool(positions[max(at, 0) // 2] == positions[max(at_now, 0) // 2])
