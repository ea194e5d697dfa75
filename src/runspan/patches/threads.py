"""Jobs of thread pools run under the span that submitted them.

`opentelemetry-instrumentation-threading` does this too, but its releases are tied to one exact version of the whole SDK, it knows
nothing of the tool calls a context has seen, and it also gives the context to threads that outlive it. Where an app uses it, both
agree.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..guard import swallow
from ..runtime import grouped, pending, place


class Pools:
    """`install()` and `remove()`; between the two, `ThreadPoolExecutor.submit` carries what is current to the job."""

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


def _carrying(job: Callable[..., Any]) -> Callable[..., Any]:
    """`job`, in the context of now; itself where there is nothing to carry."""
    context, calls, group = place.current(), pending.seen(), grouped.current()
    if not context and not calls and group is None:
        return job

    def carried(*args: Any, **kwargs: Any) -> Any:
        tokens = _enter(context, calls, group)
        try:
            return job(*args, **kwargs)
        finally:
            _leave(tokens)

    return carried


def _enter(context: Any, calls: tuple[pending.Pending, ...], group: grouped.Group | None) -> Any:
    try:
        return place.attach(context), pending.carry(calls), grouped.enter(group)
    except Exception as error:
        swallow("enter the context of a pool's job", error)
        return None


def _leave(tokens: Any) -> None:
    try:
        if tokens is not None:
            context, calls, group = tokens
            grouped.leave(group)
            place.detach(context)
            pending.put_down(calls)
    except Exception as error:
        swallow("leave the context of a pool's job", error)
