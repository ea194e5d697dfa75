"""A decorated generator function, which must answer as one and yet act at the call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any

Follow = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Any]


class GeneratorFunction:
    """A decorated generator function, sync or async.

    Not a function, because the context and the arguments of the *call* count, while a generator function's own body only begins at
    the first item. It answers as one: `inspect.isgeneratorfunction`, signatures, binding to instances, pickling by name.
    """

    __class__ = property(lambda _: FunctionType)

    def __init__(self, function: Callable[..., Any], follow: Follow) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._follow = follow
        for name in ("__code__", "__defaults__", "__kwdefaults__", "__globals__", "__closure__"):
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        made = self._function(*args, **kwargs)
        return self._follow(made, args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str:
        return str(getattr(self, "__qualname__", ""))

    def __repr__(self) -> str:
        return repr(self._function)
