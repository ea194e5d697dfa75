"""`@observe`: a span around each call of an app's own function.

The app's function is called once, outside any `try` of ours that could change its outcome; what it raises goes on as it is.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from .. import _compat
from ..conventions.observed import KINDS, Kind
from ..guard import guarded
from ..runtime import active
from ..runtime.active import Active
from .functions import CURES, PLAIN, AsyncCallableObject, CallableObject, GeneratorFunction
from .spans import Observed, current_context, is_idle, target_of
from .spec import Spec, Transform
from .streams import Stream, driven, is_new

Function = TypeVar(
    "Function", bound="Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any]"
)


@overload
def observe(function: Function, /) -> Function: ...


@overload
def observe(
    *,
    name: str | None = None,
    kind: Kind = "span",
    capture_input: bool = True,
    capture_output: bool = True,
    attributes: Mapping[str, Any] | None = None,
    transform_input: Callable[[dict[str, Any]], Any] | None = None,
    transform_output: Callable[[Any], Any] | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
) -> Callable[[Function], Function]: ...


def observe(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    kind: Kind = "span",
    capture_input: bool = True,
    capture_output: bool = True,
    attributes: Mapping[str, Any] | None = None,
    transform_input: Transform | None = None,
    transform_output: Transform | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
) -> Any:
    """Trace each call of a function, as a decorator.

    ```python
    @runspan.observe
    def answer(question: str) -> str:
        return question.upper()


    @runspan.observe(kind="tool", capture_input=False)
    async def get_weather(city: str) -> str:
        return f"{city}: 18 degrees"
    ```

    It takes sync and async functions, generators, methods, class methods and static methods. Before `runspan.instrument()`,
    and in traces that the sampler drops, the function runs as if it were not decorated.

    Args:
        function: The function to trace. Leave it out to give options.
        name: Name of the span. Default: the qualified name of the function; for `kind="tool"`, the name of the function.
        kind: What the function is: `span`, `chain`, `agent`, `tool`, `retriever`, `generation`, `embedding`, `evaluator` or
            `guardrail`. A `tool` that a run waits for becomes the span of that tool call.
        capture_input: Record the arguments, by name, as JSON in `input.value`. Arguments named like a secret (`api_key`,
            `password`) are masked.
        capture_output: Record the result as JSON in `output.value`.
        attributes: Attributes for every span of this function.
        transform_input: Takes the dict of arguments and returns what to record in its place.
        transform_output: Takes the result and returns what to record in its place.
        reduce: Takes the list of items of a generator and returns what to record as its output.

    Returns:
        A function with the same signature, or a decorator if options are given.

    Raises:
        ValueError: `kind` is not one of the kinds.
        TypeError: It decorates a class or something that cannot be called.
    """
    if kind not in KINDS:
        raise ValueError(f"observe(kind={kind!r}): use one of {', '.join(KINDS)}.")

    def decorate(target: Any) -> Any:
        if isinstance(target, classmethod | staticmethod):
            return type(target)(decorate(target.__func__))
        if isinstance(target, type) or not callable(target):
            cure = next(cure for kind, cure in CURES if isinstance(target, kind))
            raise TypeError(f"observe() takes a function, not {target!r}. {cure}")
        return _wrap(
            target,
            Spec(
                function=target,
                name=name or "",
                kind=kind,
                takes=(capture_input, capture_output),
                attributes=attributes or {},
                transform_input=transform_input,
                transform_output=transform_output,
                reduce=reduce,
            ),
        )

    return decorate if function is None else decorate(function)


def _wrap(function: Callable[..., Any], spec: Spec) -> Any:
    """By what calling it gives; a callable object is what its `__call__` is."""
    is_routine = inspect.isroutine(function) or isinstance(function, functools.partial)
    of, is_plain = function if is_routine else type(function).__call__, isinstance(function, PLAIN)
    if inspect.iscoroutinefunction(of):
        observed = _coroutine(function, spec)
        return observed if is_plain else AsyncCallableObject(function, observed)
    if inspect.isasyncgenfunction(of) or (inspect.isgeneratorfunction(of) and not _is_awaitable(of)):
        return GeneratorFunction(function, functools.partial(_follow, spec))
    observed = _plain(function, spec)
    return observed if is_plain else CallableObject(function, observed)


def _is_awaitable(function: Any) -> bool:
    """`@types.coroutine`: a generator function whose generators are awaited."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & inspect.CO_ITERABLE_COROUTINE)


def _plain(function: Callable[..., Any], spec: Spec) -> Any:
    begin = spec.begin

    @functools.wraps(function)
    def observed_call(*args: Any, **kwargs: Any) -> Any:
        state = active.now
        if state is None:
            return function(*args, **kwargs)
        observed = begin(state, args, kwargs)
        if observed is None:
            return function(*args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            observed.leave()
            observed.fail(error)
            raise
        observed.leave()
        is_followed = is_new((result,))  # on a line of its own: the next one holds the result, too
        return _handed(spec, state, observed, result, is_followed)

    return observed_call


def _coroutine(function: Callable[..., Any], spec: Spec) -> Any:
    begin = spec.begin

    @functools.wraps(function)
    async def observed_call(*args: Any, **kwargs: Any) -> Any:
        state = active.now
        if state is None:
            return await function(*args, **kwargs)
        observed = begin(state, args, kwargs)
        if observed is None:
            return await function(*args, **kwargs)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            observed.leave()
            observed.fail(error)
            raise
        observed.leave()
        is_followed = is_new((result,))  # on a line of its own: the next one holds the result, too
        return _handed(spec, state, observed, result, is_followed)

    return observed_call


# ---------------------------------------------------------------- what was made goes on under the span


def _follow(spec: Spec, made: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """A generator that has not begun: its span begins with it, under the context of the call."""
    state = active.now
    if state is None:
        return made
    with guarded("begin a span of the app's own"):
        current = current_context()
        if not is_idle(state, current):
            stream = Stream(spec, state)
            stream.given = spec.bind(args, kwargs)
            if spec.takes[0] and state.config.capture_content:
                stream.shown = spec.shown(target_of(state, current).capture, stream.given)
            return driven(stream, made)
    return made


def _handed(spec: Spec, state: Active, observed: Observed, result: Any, is_followed: bool) -> Any:
    """End the span; or, where the work is still to come, have it ended then.

    The result; a new generator or coroutine, which nobody else holds, is replaced by one of the same kind that follows it.
    """
    with guarded("follow what an observed function returned"):
        if is_followed:
            return driven(Stream(spec, state, observed), result)
        if _is_future(result):
            result.add_done_callback(functools.partial(_settled, spec, observed))
            return result
    spec.done(observed, result)
    return result


def _is_future(result: Any) -> bool:
    """One of asyncio's. Where the app has not imported that, there is none."""
    asyncio: Any = sys.modules.get("asyncio")
    try:
        return asyncio is not None and asyncio.isfuture(result)
    except Exception:  # a metaclass of the app
        return False


def _settled(spec: Spec, observed: Observed, future: Any) -> None:
    """A task or future that a plain function returned is done. Its exception stays unseen, so asyncio still warns of it."""
    with guarded("end a span of the app's own"):
        cancelled = future.cancelled() and sys.modules["asyncio"].CancelledError()
        error = cancelled or _compat.exception_of(future)
        if error is _compat.UNKNOWN:
            observed.done()
        elif error is not None:
            observed.fail(error)
        else:
            spec.done(observed, future.result())
