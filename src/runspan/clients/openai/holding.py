"""Whether the app still holds what it was given of a Run that waits for tool outputs: weak references, made when it is given.

A run holds its calls, and they hold their functions. So one reference to a function outlives neither the app's run, nor its list of
calls, nor the call that it works on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...guard import guarded
from ...runtime.tool_claims import Held
from ..result_copy import inside, references

_PARSED = "_parsed_by_type"  # of a raw response of the client: what `parse()` made of it. Without it, only the response is known


def held(given: Any, path: tuple[str, ...]) -> Held:
    """Of a run, or of a raw response that shows one. What `parse()` gives later is added then.

    `path`: the fields that lead from a run to what the app holds of its calls.
    """
    functions = inside(given, path)
    if functions:
        return references(functions)
    found = references([given])
    parsed = getattr(given, "__dict__", {}).get(_PARSED)
    if type(parsed) is dict:
        setattr(given, _PARSED, _Parsed(parsed, lambda run: found.extend(references(inside(run, path)))))
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
