"""A span of the app's own while it is open: what it was given, what it gave, how it ended.

All of them use record_exception=False and set_status_on_exception=False; the exception event is ours, without texts where content
is not captured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, TraceFlags

from ..conventions import essential, genai
from ..conventions import observed as words
from ..core import ids
from ..core.exception_text import text_of
from ..core.model import ApiError
from ..core.redact import CUT
from ..guard import guarded
from ..runtime import context_attributes, identity, otel_context, tool_claims
from ..runtime.active import Active
from ..runtime.clock import now_ns
from ..runtime.emitter import SUPPRESS_KEY
from . import targets
from .capture import Capture, Shown
from .targets import Target

_SPAN, _OBSERVED = otel_context.SPAN, otel_context.OBSERVED

Show = Callable[[Capture], Shown | None]

UNSET: Any = object()  # stands for "not given" where None is a value

attach, current_context = otel_context.attach, otel_context.current


class Observed:
    """One open span. Made by `begin`, entered and left as its code runs, ended by `done` or `fail`, once."""

    __slots__ = (
        *("_above", "_began_ns", "_call", "_first", "_metadata", "_raised", "_token"),
        *("has_output", "kind", "outer", "span", "takes_input", "takes_output", "target"),
    )

    def __init__(
        self,
        span: Span,
        target: Target,
        kind: str,
        outer: Context,
        above: Observed | None,
        takes: tuple[bool, bool],
        first: Mapping[str, Any],
        call: tool_claims.Pending | None = None,
    ) -> None:
        self.span = span
        self._began_ns = now_ns()
        self.target = target
        self.kind = kind
        self.outer = outer  # its own Context is not kept here: the two would make a cycle at each call
        self._above = above
        self.takes_input, self.takes_output = takes
        # Set when it ends, all in one go, which costs half; unless the app has set the same ones meanwhile.
        self._first = first
        self._call = call  # of a waiting run, that it answers
        self._metadata: dict[str, Any] = {}
        self._raised: tuple[int, Any] | None = None  # what a child recorded already
        self.has_output = False  # an update said it, so what is returned does not count
        self._token: Any = None

    # ------------------------------------------------------------ where code runs

    def inner(self) -> Context:
        return Context({**self.outer, _SPAN: self.span, _OBSERVED: self})

    def enter(self) -> None:
        self._token = attach(self.inner())

    def leave(self) -> None:
        leave(self._token, self)

    # ------------------------------------------------------------ what it says

    def got(self, value: Any) -> None:
        """Record the output."""
        self.has_output = True
        if self.takes_output:
            self.span.set_attributes(_told(_OUTPUT, self.kind, self.target.capture.value("output", value)))

    def update(
        self,
        name: str | None,
        given: Any,
        result: Any,
        metadata: Mapping[str, Any] | None,
        attributes: Mapping[str, Any] | None,
    ) -> None:
        """See `runspan.update`."""
        if not self.span.is_recording():
            return
        if name is not None:
            name = self.target.capture.texts.word("name", name) or CUT
            self.span.update_name(words.span_name(self.kind, name))
        if given is not UNSET and self.takes_input:
            self.span.set_attributes(_told(_INPUT, self.kind, self.target.capture.value("input", given)))
        if result is not UNSET:
            self.got(result)
        if metadata:
            self._metadata.update(metadata)
            around = context_attributes.of(self.outer)
            if self.target.capture.texts.captures:
                capture = self.target.capture
                plain = capture.plain("metadata", {**(around.metadata if around else {}), **self._metadata})
                self.span.set_attribute(words.METADATA, capture.dumps(plain))
                self.span.set_attributes(self.target.state.extra.of_metadata(plain))
        if attributes:
            self.span.set_attributes(self.target.capture.attributes(attributes))

    # ------------------------------------------------------------ how it ends

    def done(self, result: Any = UNSET) -> None:
        """It ended well. Never raises."""
        span = self.span
        if not span.is_recording() or self.target.state.is_forgotten:
            return
        with guarded("describe a span of the app's own"):
            said = self._first
            if (held := getattr(span, "attributes", None)) is not None and len(held):
                said = {key: value for key, value in said.items() if key not in held}
            if result is not UNSET and result is not None and self.takes_output and not self.has_output:
                said = {**said, **_told(_OUTPUT, self.kind, self.target.capture.value("output", result))}
            most = self.target.max_attributes
            if most is not None and len(held or ()) + len(said) > most:
                said = essential.kept({**(held or {}), **said}, most, (held or {}).keys())
            span.set_attributes(said)
        with guarded("end a span of the app's own"):
            start_ns = getattr(span, "start_time", None)
            if not isinstance(start_ns, int):  # no span of the SDK
                span.end()
            else:  # by the wall clock, yet not before the time that passed: tests freeze that clock, NTP sets it back
                span.end(max(time.time_ns(), start_ns + now_ns() - self._began_ns))

    def fail(self, error: BaseException) -> None:
        """It ended by `error`, which is left as it is. Never raises."""
        with guarded("describe the error of a span of the app's own"):
            if self.span.is_recording() and not self.target.state.is_forgotten:
                self._blame(error)
        self.done()

    def _blame(self, error: BaseException) -> None:
        outcome = outcome_of(error)
        if outcome == "cancelled":
            self.span.set_attribute(words.CANCELLED, True)
        if outcome != "error":
            return
        name, texts = name_of(error), self.target.capture.texts
        message = texts.keep("error", text_of(error)) if texts.captures else None
        self.span.set_attribute(genai.ERROR_TYPE, name)
        if self._call is not None:
            self._call.of.errors[self._call.call_id] = ApiError(name)
        self.span.set_status(Status(StatusCode.ERROR, message or name))
        mark = (id(error), origin_of(error))
        if self._raised != mark:
            said = {"exception.message": message} if message else {}
            self.span.add_event("exception", {"exception.type": name, **said})
        if self._above is not None:
            self._above._raised = mark


def leave(token: Any, observed: Observed | None) -> None:
    """Undo an `attach`, also where the code goes on in another context than it began in; never logs, never raises."""
    if not otel_context.undo(token) and observed is not None and _observed(current_context()) is observed:
        attach(observed.outer)


# ---------------------------------------------------------------- beginnings


def is_idle(state: Active, current: Context) -> bool:
    """Whether nothing is to be recorded here: instrumentation is switched off, or the parent is not sampled."""
    if current.get(SUPPRESS_KEY) or current.get("suppress_instrumentation"):
        return True
    parent: Any = current.get(_SPAN)
    if parent is None or parent.is_recording():
        return False
    context = parent.get_span_context()
    if context.trace_flags & TraceFlags.SAMPLED or not context.is_valid:
        return False
    return target_of(state, current).drops_unsampled


def target_of(state: Active, current: Context) -> Target:
    above = _observed(current)
    return above.target if above is not None and above.target.state is state else targets.target(state)


def _observed(context: Context) -> Observed | None:
    """The nearest span of ours."""
    return cast("Observed | None", context.get(_OBSERVED))


def begin(
    state: Active,
    current: Context,
    kind: str,
    name: str,
    attributes: Mapping[str, Any],
    takes: tuple[bool, bool] = (True, True),
    call: tool_claims.Pending | None = None,
    show: Show | None = None,
) -> Observed:
    """Start a span under `current`, or, for a waiting tool call, under its run. It is not entered yet.

    `show(capture)` gives the input, asked for only if it is recorded.
    """
    target = target_of(state, current)
    values = context_attributes.of(current)
    parent = current
    if state.extra.kinds:
        attributes = {**state.extra.kinds[kind], **attributes}
    if values is not None:
        attributes = {**attributes, **values.attributes}
        if values.trace_name and not trace.get_current_span(current).get_span_context().is_valid:
            name = values.trace_name
    if call is not None:
        parent = identity.of_tools(call.of.live)
        attributes = {**_of_call(call), **attributes}
    span = target.tracer.start_span(
        name,
        parent,
        attributes=attributes if target.asks_attributes else None,
        record_exception=False,
        set_status_on_exception=False,
    )
    is_recording = span.is_recording()
    if not is_recording or not state.config.capture_content:
        takes = (False, False)
    above = _observed(current)
    if is_recording and above is None:
        state.note_trace(span.get_span_context())
    if is_recording and takes[0] and show is not None and (shown := show(target.capture)) is not None:
        attributes = {**attributes, **_told(_INPUT, kind, shown)}
    return Observed(span, target, kind, current, above, takes, attributes, call)


_INPUT = words.INPUT, words.INPUT_TYPE, words.ARGUMENTS
_OUTPUT = words.OUTPUT, words.OUTPUT_TYPE, words.RESULT


def _told(names: tuple[str, str, str], kind: str, shown: Shown) -> dict[str, str]:
    value, mime_type, of_tool = names
    text, is_json = shown
    said = {value: text, mime_type: words.JSON if is_json else words.TEXT}
    return {**said, of_tool: text} if kind == words.TOOL else said


def _of_call(call: tool_claims.Pending) -> dict[str, Any]:
    call_id = ids.shown(call.call_id)
    found: dict[str, Any] = {words.CALL_ID: call_id} if call_id else {}
    if call.conversation_id:
        found |= {genai.CONVERSATION: call.conversation_id, "session.id": call.conversation_id}
    return found


def nearest_of(spans: Sequence[Observed]) -> Observed | None:
    """The innermost of these that is around the running code."""
    observed = _observed(current_context())
    while observed is not None and not any(observed is one for one in spans):
        observed = _observed(observed.outer)
    return observed


def nearest() -> Observed | None:
    """The innermost open span of ours, where what is current is recorded at all."""
    current = current_context()
    return _observed(current) if trace.get_current_span(current).is_recording() else None


# ---------------------------------------------------------------- what an exception says


def outcome_of(error: BaseException) -> str:
    """`closed` and `cancelled` are how a program goes on, not faults of it."""
    if isinstance(error, Exception):
        return "error"
    if isinstance(error, GeneratorExit):
        return "closed"
    if type(error).__name__ in ("CancelledError", "Cancelled"):  # asyncio's and trio's
        return "cancelled"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "closed"
    return "error"


def origin_of(error: BaseException) -> Any:
    """Where it was raised first: with its id, that tells one error on its way up from a later one at the same address."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb and (tb.tb_frame.f_code, tb.tb_lasti)


def name_of(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
