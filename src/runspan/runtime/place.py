"""The current Context: OpenTelemetry's own functions, without their frame and the error of a `detach` that they would log.

A process may have another runtime for contexts: ddtrace's keeps nothing but the span and baggage, and its `detach` does nothing.
There what is ours goes beside it, in a variable of our own, and detaching makes current again what was before.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any

from opentelemetry import trace
from opentelemetry.context import _RUNTIME_CONTEXT, Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import NonRecordingSpan

OURS = "runspan-"  # how our keys in a Context begin
NOBODY = NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)


class _Beside:
    """Stands in for a runtime that does not keep our keys."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._ours: ContextVar[dict[str, Any]] = ContextVar("runspan-beside")

    def get_current(self) -> Context:
        return Context({**self._runtime.get_current(), **self._ours.get({})})

    def attach(self, context: Context) -> tuple[Token[dict[str, Any]], Context]:
        before = self._runtime.get_current()
        token = self._ours.set({key: value for key, value in context.items() if key.startswith(OURS)})
        self._runtime.attach(_with_a_span(context))
        return token, before

    def detach(self, token: tuple[Token[dict[str, Any]], Context]) -> None:
        ours, before = token
        self._ours.reset(ours)
        self._runtime.attach(_with_a_span(before))


def _with_a_span(context: Context) -> Context:
    """No span at all is no news to ddtrace: the one that is current would stay."""
    if trace.get_current_span(context).get_span_context().is_valid:
        return context
    return trace.set_span_in_context(NOBODY, context)


_runtime: Any = (
    _RUNTIME_CONTEXT if type(_RUNTIME_CONTEXT) is ContextVarsRuntimeContext else _Beside(_RUNTIME_CONTEXT)
)
attach = _runtime.attach
detach = _runtime.detach
current = _runtime.get_current
