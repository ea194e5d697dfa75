"""What `@observe` makes of anything but a plain function: it must answer as what it stands for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    WrapperDescriptorType,
)
from typing import Any

# What `functools.wraps` makes a whole likeness of. An `lru_cache` is a routine for `inspect`, but has methods of its own.
PLAIN = (
    FunctionType,
    MethodType,
    BuiltinFunctionType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)

# What to write instead of observing something that is no function: the first type that fits.
CURES = (
    (type, "Decorate the methods of the class one by one."),
    (property, "Put @observe below @property."),
    (functools.cached_property, "Put @observe below @cached_property."),
    (functools.singledispatchmethod, "Put @observe below @singledispatchmethod and below each @register."),
    (functools.partialmethod, "Put @observe on the method that partialmethod() takes."),
    (str, "To name the span, write @observe(name=...)."),
    (object, "Pass the function itself, not what a call of it returns."),
)

Follow = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Any]


class Stand:
    """Stands for `_function`: has its attributes, and binds to instances if it does.

    No annotations here: an instance would answer with its class's own, wherever `update_wrapper` copies none: of a partial, and on
    Python 3.14 of anything.
    """

    def __init__(
        self, function: Callable[..., Any], call: Callable[..., Any], updated: Sequence[str] = ()
    ) -> None:
        functools.update_wrapper(self, function, updated=updated)
        self._function = function
        self._call = call

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_function":  # of a copy that has nothing yet
            raise AttributeError(name)
        return getattr(self._function, name)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        bind = getattr(type(self._function), "__get__", None)
        if instance is None or bind is None or bind(self._function, instance, owner) is self._function:
            return self
        return MethodType(self, instance)

    def __reduce__(self) -> str:
        return str(getattr(self, "__qualname__", ""))

    def __deepcopy__(self, memo: dict[int, Any]) -> Stand:
        """Itself, as of any function. That of `_function`, which an `lru_cache` has, would copy what is not observed."""
        return self

    def __repr__(self) -> str:
        return repr(self._function)


class CallableObject(Stand):
    """A decorated object with a `__call__`: an `lru_cache`, what a framework made of a function, a partial. `call` observes it."""

    __class__ = property(lambda self: type(self._function))


class AsyncCallableObject(CallableObject):
    """The same; its `__call__` is a coroutine function, by which frameworks see that they must await it."""

    async def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return await self._call(*args, **kwargs)


class GeneratorFunction(Stand):
    """A decorated generator function, sync or async.

    Not a function, because the context and the arguments of the *call* count, while a generator function's own body only begins at
    the first item. It answers as one: `inspect.isgeneratorfunction`, signatures, binding to instances, pickling by name.
    """

    __class__ = property(lambda _: FunctionType)

    def __init__(self, function: Callable[..., Any], follow: Follow) -> None:
        super().__init__(function, follow, updated=("__dict__",))
        for name in ("__code__", "__defaults__", "__kwdefaults__", "__globals__", "__closure__"):
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        made = self._function(*args, **kwargs)
        return self._call(made, args, kwargs)
