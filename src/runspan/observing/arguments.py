"""Bound argument names, worked out once when the function is decorated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..core.secrets import MASKED
from .names import is_secret

_RECEIVERS = frozenset({"self", "cls", "mcs", "mcls", "metacls"})
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Arguments:
    """`bind(args, kwargs)` -> {name: value} as the call gave them, without the receiver; defaults are not repeated."""

    __slots__ = ("_names", "_rest", "_skip")

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # some built-ins have none
            parameters = []
        positional = [p.name for p in parameters if p.kind in _POSITIONAL]
        self._skip = 1 if positional and positional[0].lstrip("_") in _RECEIVERS else 0
        self._names = tuple(positional[self._skip :])
        self._rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if self._skip:
            args = args[1:]
        names = self._names
        given = dict(zip(names, args, strict=False))
        if len(args) > len(names):
            given[self._rest] = args[len(names) :]
        if kwargs:
            given.update(kwargs)
        return given


def masked(given: dict[str, Any]) -> dict[str, Any]:
    """Without the values of what is called like a secret."""
    for name in given:
        if is_secret(name):  # remembered by name, so this is one look each
            return {n: MASKED if is_secret(n) else value for n, value in given.items()}
    return given
