"""The current Context: OpenTelemetry's own functions, without their frame and the error of a `detach` that they would log.

A process may have another runtime for contexts: ddtrace's keeps nothing but the span and baggage, and its `detach` does nothing.
There what is ours goes beside it, in a variable of our own, and detaching makes current again what was before.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import NonRecordingSpan

from .. import _compat

OURS = "runspan-"  # how our keys in a Context begin
OBSERVED = f"{OURS}observed"  # the nearest span of an observed function or block
# The API's key for the current span.
SPAN = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
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


_held: Any = _compat.runtime_context()
_runtime: Any = _held if type(_held) in (ContextVarsRuntimeContext, _compat.PublicContext) else _Beside(_held)
attach = _runtime.attach
detach = _runtime.detach


def undo(token: Any) -> bool:
    """Undo an `attach`. False where the code goes on in another context than it began in; never logs, never raises.

    There (a finalizer, another task) what was attached is not current, or it is current in a copy, which the caller looks for.
    """
    try:
        detach(token)
    except (ValueError, RuntimeError):
        return False
    return True


# ---------------------------------------------------------------- jobs of thread pools

_TRAVELS = frozenset({SPAN, _compat.suppress_key(), _compat.OLD_SUPPRESS_KEY})
# In a pool's thread, during a job: where it was submitted.
SUBMITTED: ContextVar[Context | None] = ContextVar("runspan-submitted", default=None)


def current() -> Context:
    """Where spans of ours belong: the current Context; in a pool's job, with what the submitting code had.

    The job's Context itself stays as it is, for spans of others.
    """
    here: Context = _runtime.get_current()
    submitted = SUBMITTED.get()
    if not submitted or any(key.startswith(OURS) for key in here):  # what we made current has it all
        return here
    return Context({**submitted, **here})


def travelling() -> Context:
    """What spans of ours need of the current Context in another thread."""
    return Context({k: v for k, v in current().items() if k in _TRAVELS or k.startswith(OURS)})
