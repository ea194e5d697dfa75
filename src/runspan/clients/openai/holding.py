"""Whether the app still holds what it was given of a Run that waits for tool outputs: weak references, made when it is given.

A run holds its calls, and they hold their functions. So one reference to a function outlives neither the app's run, nor its list of
calls, nor the call that it works on.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...guard import guarded
from ...runtime.tool_claims import Held
from .result_copy import fields_of

_PARSED = "_parsed_by_type"  # of a raw response of the client: what `parse()` made of it. Without it, only the response is known


def held(given: Any) -> Held:
    """Of a Run, or of a raw response that shows one. What `parse()` gives later is added then."""
    functions = _functions(given)
    if functions:
        return _references(functions)
    found = _references([given])
    parsed = getattr(given, "__dict__", {}).get(_PARSED)
    if type(parsed) is dict:
        setattr(given, _PARSED, _Parsed(parsed, lambda run: found.extend(_references(_functions(run)))))
    return found


class _Parsed(dict[Any, Any]):
    """Tells of each value that is put in. The client's dict in all else."""

    __slots__ = ("_tell",)

    def __init__(self, parsed: dict[Any, Any], tell: Callable[[Any], None]) -> None:
        super().__init__(parsed)
        self._tell = tell

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        with guarded("note what a raw response was parsed to"):
            self._tell(value)


def _functions(run: Any) -> list[Any]:
    outputs = fields_of(fields_of(fields_of(run).get("required_action")).get("submit_tool_outputs"))
    calls = outputs.get("tool_calls")
    return [fields_of(call).get("function") for call in calls] if isinstance(calls, list) else []


def _references(things: list[Any]) -> Held:
    found = []
    for thing in things:
        with suppress(TypeError):  # a dict
            found.append(weakref.ref(thing))
    return found
