"""What one decoration says, and how a call of the decorated function begins."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any

from ..conventions import observed as words
from ..guard import swallow
from ..runtime import tool_claims
from ..runtime.active import Active
from .arguments import Arguments, masked
from .capture import Capture, Shown
from .spans import UNSET, Observed, begin, current_context, is_idle

Transform = Callable[[Any], Any]


@dataclass(slots=True, kw_only=True)
class Spec:
    """Made once, when a function is decorated; nothing changes it then."""

    function: InitVar[Callable[..., Any]]
    name: str  # empty: that of the function
    kind: str
    title: str = ""  # the span's name
    attributes: Mapping[str, Any]
    takes: tuple[bool, bool]  # input, output
    arguments: Arguments = field(init=False)
    transform_input: Transform | None
    transform_output: Transform | None
    reduce: Callable[[list[Any]], Any] | None

    def __post_init__(self, function: Callable[..., Any]) -> None:
        self.name = self.name or _name(function, self.kind)
        self.title = words.span_name(self.kind, self.name)
        self.attributes = {**words.attributes(self.kind, self.name), **self.attributes}
        self.arguments = Arguments(function)

    def begin(self, state: Active, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Observed | None:
        """The open span of this call, entered; None: there is nothing to record. Never raises."""
        try:
            current = current_context()
            if is_idle(state, current):
                return None
            given = self.arguments.bind(args, kwargs)
            call = self.claim(state, given) if self.kind == words.TOOL else None
            observed = begin(
                state,
                current,
                self.kind,
                self.title,
                self.attributes,
                self.takes,
                call,
                lambda capture: self.shown(capture, given),
            )
            observed.enter()
        except Exception as error:
            swallow("begin a span of the app's own", error)
            return None
        return observed

    def claim(self, state: Active, given: dict[str, Any]) -> tool_claims.Pending | None:
        """The call of a waiting run that this call of a tool answers."""
        return tool_claims.take(self.name, given, state.registry)

    def shown(self, capture: Capture, given: dict[str, Any]) -> Shown | None:
        """The arguments as they go out."""
        if self.transform_input is None:
            return capture.arguments(masked(given))
        shown = transformed(self.transform_input, given)
        return None if shown is UNSET else capture.value("input", shown)

    def done(self, observed: Observed, result: Any) -> None:
        if self.transform_output is not None and observed.takes_output:
            result = transformed(self.transform_output, result)
        observed.done(result)


def transformed(transform: Transform, value: Any) -> Any:
    """What the app wants to be shown instead; UNSET where its function fails, so nothing is."""
    try:
        return transform(value)
    except Exception as error:
        swallow("call a transform_input, transform_output or reduce of the app", error)
        return UNSET


def _name(function: Callable[..., Any], kind: str) -> str:
    """A tool goes by the name the model knows; everything else by where it is defined."""
    while isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__name__"):
        return type(function).__name__
    if kind == words.TOOL:
        return str(function.__name__)
    return str(getattr(function, "__qualname__", function.__name__)).rpartition("<locals>.")[2]
