"""Exceptions of the app's own code inside `with ...stream(...)`: they never enter the stream, so its tap cannot see them.

They pass `__exit__` of the stream's manager on their way to the app.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...guard import guarded
from ...runtime.clock import now_ns
from ...runtime.records import HandlerError
from ..errors import read_error
from ..taps import Tap
from .stream_taps import tap_of


class StreamManagerHook:
    def __init__(self, put: Callable[[Any], None]) -> None:
        self._put = put

    def exit(
        self, wrapped: Callable[..., Any], manager: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Both kinds: an async one hands back a coroutine that the app awaits."""
        self._note(manager, args, kwargs)
        return wrapped(*args, **kwargs)

    def _note(self, manager: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        error = args[1] if len(args) > 1 else kwargs.get("exc")
        if error is None:
            return
        with guarded("note an exception of a stream's handler"):
            prefix = f"_{type(manager).__name__}__stream"
            stream = getattr(manager, prefix, None)
            tap = None if stream is None else tap_of(stream) or _tap_inside(stream)
            if tap is not None and not tap.has_raised(error):
                self._put(HandlerError(tap.stream, now_ns(), read_error(error), id(error)))


def _tap_inside(stream: Any) -> Tap | None:
    """Of the stream that this one reads: the helper of responses makes events of its own."""
    inside = (tap_of(one) for one in vars(stream).values() if hasattr(one, "response"))
    return next(filter(None, inside), None)
