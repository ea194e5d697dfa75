"""Jobs of thread pools: what of ours is current where a job is submitted is known to our spans in the job.

Only ours: the job's own OpenTelemetry Context stays as it is, so spans of other libraries keep the parent that they have without
runspan. An app that wants them below the submitting span uses `opentelemetry-instrumentation-threading`; then both agree. That one
alone would not do for ours: it knows nothing of the tool calls that a context has seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

from ..guard import guarded
from ..runtime import helper_call, otel_context, tool_claims


class ThreadPoolPatch:
    """`install()` and `remove()`; between the two, `ThreadPoolExecutor.submit` carries what is ours to the job."""

    def __init__(self) -> None:
        self._owner: Any = None
        self._original: Any = None
        self._ours: Any = None

    def install(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        original = vars(ThreadPoolExecutor)["submit"]

        @functools.wraps(original)
        def submit(pool: Any, /, *args: Any, **kwargs: Any) -> Any:
            if args and self._ours is not None:
                args = (_carrying(args[0]), *args[1:])
            return original(pool, *args, **kwargs)

        self._owner, self._original, self._ours = ThreadPoolExecutor, original, submit
        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]

    def remove(self) -> None:
        """The attribute is what it was. Where somebody wrapped ours since, ours steps aside inside."""
        if self._ours is not None and vars(self._owner).get("submit") is self._ours:
            self._owner.submit = self._original
        self._ours = None


# How what is ours is read where a job is submitted, and where the job has it.
_OURS: tuple[tuple[Callable[[], Any], ContextVar[Any]], ...] = (
    (otel_context.travelling, otel_context.SUBMITTED),
    (tool_claims.SEEN.get, tool_claims.SEEN),
    (helper_call.CURRENT.get, helper_call.CURRENT),
)


def _carrying(job: Any) -> Any:
    """`job`, with what is ours here. Also where that is nothing: what a job sees must not stay in the pool's thread."""
    with guarded("carry a context to a pool's job"):
        return functools.partial(_run, job, [(variable, read()) for read, variable in _OURS])
    return job


def _run(
    job: Callable[..., Any], carried: list[tuple[ContextVar[Any], Any]], /, *args: Any, **kwargs: Any
) -> Any:
    tokens: list[tuple[ContextVar[Any], Token[Any]]] = []
    with guarded("enter the context of a pool's job"):
        tokens += [(variable, variable.set(value)) for variable, value in carried]
    try:
        return job(*args, **kwargs)
    finally:
        with guarded("leave the context of a pool's job"):
            for variable, token in tokens:
                variable.reset(token)
