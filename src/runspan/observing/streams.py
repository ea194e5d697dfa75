"""Generators and awaitables under a span: the context is the generator's own inside, and the caller's between its yields.

Each step runs where the consumer is: no task, no thread, no context of our own, so cancel scopes and timeouts held across yields
work. Between two steps nothing of ours is current.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from inspect import CO_ITERABLE_COROUTINE
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from opentelemetry.context import Context

from ..conventions import observed as words
from ..guard import guarded
from ..runtime.active import Active
from .capture import Shown
from .spans import UNSET, Observed, attach, current_context, leave
from .spec import Spec, transformed

MAX_ITEMS = 10_000  # kept of what one generator yields
MAX_OTHERS = 1_000  # of those that are neither text nor number, which cost more
MAX_REDUCED_CHARS = 1_000_000  # of text kept for a `reduce`


class Stream:
    """One generator's span and what it yielded so far. Ends its span when it is collected, whatever happened."""

    __slots__ = (
        *("_chars", "_is_full", "_items", "_omitted", "_others", "_spec", "_state"),
        *("context", "given", "observed", "shown"),
    )

    def __init__(self, spec: Spec, state: Active, observed: Observed | None = None) -> None:
        self._spec = spec
        self._state = state
        self.observed = observed
        # Of a generator that has not begun: its arguments, and how they looked at the call.
        self.given: dict[str, Any] = {}
        self.shown: Shown | None = None
        self._items: list[Any] = []
        self._chars = state.texts.max_chars if spec.reduce is None else MAX_REDUCED_CHARS
        self._others = MAX_OTHERS
        self._omitted = 0
        self._is_full = not (spec.takes[1] and state.config.capture_content)
        self.context: Context = current_context() if observed is None else observed.inner()

    def start(self) -> None:
        """The first step: the body of a generator function runs from now on."""
        if self.observed is not None:
            return
        with guarded("begin a span of the app's own"):
            self.observed = self._spec.open(self._state, self.context, self.given, lambda _: self.shown)
            self.context = self.observed.inner()
        self.given = {}

    # ------------------------------------------------------------ each step

    def leave(self, token: Any) -> None:
        self.context = current_context()
        leave(token, self.observed)

    def saw(self, item: Any) -> None:
        """Keep a yielded item, within bounds; what may change later is kept as it is now."""
        if self._is_full:
            self._omitted += 1
            return
        items = self._items
        kind = type(item)
        if kind is str:
            items.append(item)
            self._chars -= len(item)
            if self._chars > 0 and len(items) < MAX_ITEMS:
                return
        elif kind is int or kind is float or kind is bool or item is None or self._spec.reduce is not None:
            items.append(item)
        else:
            self._others -= 1
            if self.observed is not None and self.observed.takes_output:
                with guarded("look at what a generator yields"):
                    items.append(self.observed.target.capture.plain("output", item))
        self._is_full = self._chars <= 0 or self._others <= 0 or len(items) >= MAX_ITEMS

    # ------------------------------------------------------------ the end

    def done(self, result: Any = None) -> None:
        """`result` is what a generator returned."""
        if (observed := self.observed) is not None:
            self._show(observed, result)
            observed.done()
            self.observed = None

    def answered(self, result: Any) -> None:
        """`result` is what an awaitable gave."""
        if (observed := self.observed) is not None:
            self._spec.done(observed, result)
            self.observed = None

    def fail(self, error: BaseException) -> None:
        if (observed := self.observed) is not None:
            self._show(observed, None)
            observed.fail(error)
            self.observed = None

    def _show(self, observed: Observed, result: Any) -> None:
        if not observed.takes_output:
            return
        with guarded("record what a generator yielded"):
            spec, items = self._spec, self._items
            value: Any = items
            if spec.reduce is not None:
                value = transformed(spec.reduce, list(items))
            elif not items:
                value = result
            elif self._others == MAX_OTHERS and all(type(item) is str for item in items):
                value = "".join(items)
            if spec.transform_output is not None and value is not UNSET:
                value = transformed(spec.transform_output, value)
            if value is not UNSET and value is not None and not observed.has_output:
                observed.got(value)
            if self._omitted:
                observed.span.set_attribute(words.OMITTED_ITEMS, self._omitted)

    def __del__(self) -> None:
        with suppress(Exception):  # the interpreter may be half gone
            self.done()


class Within:
    """What runs in a context, without a span."""

    __slots__ = ("context",)

    observed = None

    def __init__(self, context: Context) -> None:
        self.context = context

    def leave(self, token: Any) -> None:
        self.context = current_context()
        leave(token, None)

    def _ignore(self, what: Any = None) -> None: ...

    start = saw = done = answered = fail = _ignore


def drive(stream: Stream | Within, inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """`yield from inner`, with each step in the context of the stream."""
    stream.start()
    step: Any = inner.send
    value: Any = None
    saw, context = stream.saw, stream.context
    while True:
        token = attach(context)
        try:
            item = step(value)
        except StopIteration as stop:
            stream.leave(token)
            value = None
            stream.done(stop.value)
            return stop.value
        except BaseException as error:
            stream.leave(token)
            value = None
            stream.fail(error)
            raise
        context = current_context()
        leave(token, stream.observed)
        saw(item)
        try:
            value = yield item
            step = inner.send
        except BaseException as error:  # thrown in, or closed: the generator's to answer
            step, value = inner.throw, error


async def adrive(stream: Stream | Within, inner: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    """The same for an async generator, in the consumer's own task."""
    stream.start()
    step: Any = inner.asend(None)
    while True:
        token = attach(stream.context)
        try:
            item = await step
        except StopAsyncIteration:
            stream.leave(token)
            step = None
            stream.done()
            return
        except BaseException as error:
            stream.leave(token)
            step = None
            stream.fail(error)
            raise
        stream.leave(token)
        stream.saw(item)
        try:
            step = inner.asend((yield item))
        except BaseException as error:
            step = inner.athrow(error)


async def drive_awaitable(stream: Stream | Within, inner: Coroutine[Any, Any, Any]) -> Any:
    """A coroutine that a plain function returned."""
    token = attach(stream.context)
    try:
        result = await inner
    except BaseException as error:
        stream.leave(token)
        stream.fail(error)
        raise
    stream.leave(token)
    stream.answered(result)
    return result


_DRIVERS: Mapping[type, Callable[[Any, Any], Any]] = {
    GeneratorType: drive,
    AsyncGeneratorType: adrive,
    CoroutineType: drive_awaitable,
}


def is_drivable(made: Any) -> bool:
    """A generator, async generator or coroutine; not the generators of `@types.coroutine`, which are awaited."""
    kind = type(made)
    if kind is GeneratorType:
        return not made.gi_code.co_flags & CO_ITERABLE_COROUTINE
    return kind is AsyncGeneratorType or kind is CoroutineType


def is_new(held: tuple[Any]) -> bool:
    """Whether `held[0]` can be followed, and one local variable of the caller alone holds it: nobody sees what stands in for it.

    It comes in a tuple that the caller makes in the call: from 3.14 on, an argument itself is one reference more or not, by the
    place in the caller where it is passed.
    """
    return is_drivable(held[0]) and _references(held) <= _ALONE


def _references(held: tuple[Any]) -> int:
    return sys.getrefcount(held[0]) + weakref.getweakrefcount(held[0])


def _alone() -> int:
    """The references to what `is_new` is called with, if there are no others. It depends on the interpreter."""
    made = (item for item in "")
    return _references((made,))


_ALONE = _alone()


def driven(stream: Stream | Within, made: Any) -> Any:
    """What stands in for `made`: of the same type and name."""
    driver = _DRIVERS[type(made)](stream, made)
    driver.__name__, driver.__qualname__ = made.__name__, made.__qualname__
    return driver
