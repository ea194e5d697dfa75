"""`runspan.context`: who and what this is about, on every span below, runs and calls included."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar

from opentelemetry.context import Context

from ..conventions import observed as words
from ..conventions.openinference import SESSION
from ..core.redact import CUT
from ..guard import guarded
from ..runtime import active, otel_context
from ..runtime import context_attributes as scope
from ..runtime.active import Active
from ..runtime.context_attributes import ContextAttributes
from .functions import GeneratorFunction
from .spans import attach, current_context, target_of
from .streams import Within, driven, is_drivable, is_new

NOTHING = (None, "")
Function = TypeVar(
    "Function", bound="Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any]"
)

# What was entered where we are and how to leave it: one object may be entered by several tasks at once.
# With the Context inside, and the one before.
_entered: ContextVar[tuple[tuple[context, Any, Context, Context], ...]] = ContextVar(
    "runspan-entered", default=()
)


class context:  # noqa: N801 - reads as a statement
    """Set session, user, tags and metadata for every span below, across tasks and thread pools.

    ```python
    with runspan.context(session_id="s1", user_id="u1", tags=["beta"], metadata={"plan": "pro"}):
        ...  # runs, calls and functions here carry these


    @runspan.context(session_id="s1")
    def turn() -> None: ...
    ```

    It works with `with`, `async with` and as a decorator. Contexts nest: tags and metadata add up; of session, user and trace
    name, the innermost counts.

    Args:
        session_id: The visit or conversation, in `session.id`. It replaces the thread's id, which runs have by default.
        user_id: The user, in `user.id`.
        tags: Labels to filter by; one text is one label.
        metadata: Names and values. It is content: `capture_content=False` leaves it out.
        trace_name: Name of a span that begins a trace. On other spans it is an attribute.
    """

    __slots__ = ("_given",)

    def __init__(
        self,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        trace_name: str | None = None,
    ) -> None:
        labels: tuple[Any, ...] = ()
        values: dict[str, Any] = {}
        with guarded("read tags= of runspan.context, which takes a list of texts"):
            labels = (tags,) if isinstance(tags, str) else tuple(tags or ())
        with guarded("read metadata= of runspan.context, which takes a dict"):
            values = dict(metadata or {})
        self._given = (session_id, user_id, labels, values, trace_name)

    def __enter__(self) -> context:
        inner = self._inner()
        if inner is not None:
            outer = current_context()
            _entered.set((*_entered.get(), (self, attach(inner), inner, outer)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        held = _entered.get()
        for index in reversed(range(len(held))):
            if held[index][0] is self:
                _entered.set(held[:index] + held[index + 1 :])
                _, token, inner, outer = held[index]
                if not otel_context.undo(token) and scope.of(current_context()) is scope.of(inner):
                    attach(outer)  # left in a copy of the context that it was entered in
                return

    async def __aenter__(self) -> context:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Function) -> Function:
        """As a decorator: each call, or each step of a generator, runs within."""
        wrapped: Any
        if isinstance(function, classmethod | staticmethod):
            wrapped = type(function)(self(function.__func__))
        elif inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def within_async(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            wrapped = within_async
        elif inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            wrapped = GeneratorFunction(function, self._follow)
        else:

            @functools.wraps(function)
            def within(*args: Any, **kwargs: Any) -> Any:
                with self:
                    made = function(*args, **kwargs)
                    return self._follow(made, args, kwargs) if is_new((made,)) else made

            wrapped = within
        found: Function = wrapped
        return found

    def _follow(self, made: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What is made within runs within, also after it was handed out."""
        inner = self._inner() if is_drivable(made) else None
        return made if inner is None else driven(Within(inner), made)

    def _inner(self) -> Context | None:
        """The current Context with these values; None: nothing is to be recorded."""
        state = active.now
        if state is None:
            return None
        with guarded("enter runspan.context"):
            current = current_context()
            return Context({**current, scope.KEY: self._scope(state, current)})
        return None

    def _scope(self, state: Active, current: Context) -> ContextAttributes:
        session_id, user_id, tags, metadata, trace_name = self._given
        around = scope.of(current) or ContextAttributes()
        capture = target_of(state, current).capture
        word = capture.texts.word
        tags = tuple(
            dict.fromkeys((*around.tags, *(word("tag", str(tag)) or CUT for tag in tags if tag != "")))
        )
        metadata = {**around.metadata, **metadata}
        attributes = dict(around.attributes)
        if session_id not in NOTHING:
            attributes[SESSION] = word("session", str(session_id)) or CUT
        if user_id not in NOTHING:
            attributes[words.USER] = word("user", str(user_id)) or CUT
        if trace_name not in NOTHING:
            attributes[words.TRACE_NAME] = trace_name = word("name", str(trace_name)) or CUT
        if tags:
            attributes[words.TAGS] = list(tags)
        plain: dict[str, Any] = {}
        if metadata and capture.texts.captures:
            plain = capture.plain("metadata", metadata)
            attributes[words.METADATA] = capture.dumps(plain)
        attributes |= state.extra.of_context(attributes, plain)
        return ContextAttributes(attributes, metadata, tags, trace_name or around.trace_name)
