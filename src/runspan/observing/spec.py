"""What one decoration says, and how a call of the decorated function begins."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any

from opentelemetry.context import Context

from ..conventions import observed as words
from ..core.secrets import MASKED
from ..guard import guarded, swallow
from ..runtime import tool_claims
from ..runtime.active import Active
from .capture import Capture, Shown
from .spans import UNSET, Observed, Show, begin, current_context, is_idle
from .values import is_secret

Transform = Callable[[Any], Any]
Bind = Callable[[tuple[Any, ...], Mapping[str, Any]], dict[str, Any]]

_RECEIVERS = frozenset({"self", "cls", "mcs", "mcls", "metacls"})
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(slots=True, kw_only=True)
class Spec:
    """Made once, when a function is decorated; nothing changes it then."""

    function: InitVar[Callable[..., Any]]
    name: str  # empty: that of the function
    kind: str
    title: str = ""  # the span's name
    attributes: Mapping[str, Any]
    takes: tuple[bool, bool]  # input, output
    bind: Bind = field(init=False)
    transform_input: Transform | None
    transform_output: Transform | None
    reduce: Callable[[list[Any]], Any] | None

    def __post_init__(self, function: Callable[..., Any]) -> None:
        self.name = self.name or _name(function, self.kind)
        self.title = words.span_name(self.kind, self.name)
        self.attributes = {**words.attributes(self.kind, self.name), **self.attributes}
        self.bind = _binder(function)

    def begin(self, state: Active, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Observed | None:
        """The open span of this call, entered; None: there is nothing to record. Never raises."""
        with guarded("begin a span of the app's own"):
            current = current_context()
            if not is_idle(state, current):
                given = self.bind(args, kwargs)
                observed = self.open(state, current, given, lambda capture: self.shown(capture, given))
                observed.enter()
                return observed
        return None

    def open(self, state: Active, current: Context, given: dict[str, Any], show: Show) -> Observed:
        """The span of a call with these arguments, or of the tool call of a waiting run that it answers."""
        call = tool_claims.take(self.name, given, state.registry) if self.kind == words.TOOL else None
        return begin(state, current, self.kind, self.title, self.attributes, self.takes, call, show)

    def shown(self, capture: Capture, given: dict[str, Any]) -> Shown | None:
        """The arguments as they go out."""
        if self.transform_input is None:
            return capture.arguments({n: MASKED if is_secret(n) else one for n, one in given.items()})
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


def _binder(function: Callable[..., Any]) -> Bind:
    """(args, kwargs) -> {name: value} as the call gave them, without the receiver; defaults are not repeated."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-ins have none
        parameters = []
    names = [p.name for p in parameters if p.kind in _POSITIONAL]
    skipped = 1 if names and names[0].lstrip("_") in _RECEIVERS else 0
    names = names[skipped:]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")

    def bind(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(zip(names, args[skipped:], strict=False))
        if more := args[skipped + len(names) :]:
            given[rest] = more
        return {**given, **kwargs}

    return bind


def _name(function: Callable[..., Any], kind: str) -> str:
    """A tool goes by the name the model knows; everything else by where it is defined."""
    while isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__name__"):
        return type(function).__name__
    if kind == words.TOOL:
        return str(function.__name__)
    return str(getattr(function, "__qualname__", function.__name__)).rpartition("<locals>.")[2]
