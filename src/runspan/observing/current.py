"""`runspan.span`, `runspan.update` and the ids of what is current."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import currentframe
from types import FrameType, TracebackType
from typing import Any

from opentelemetry import trace

from ..conventions import observed as words
from ..core.redact import CUT
from ..guard import guarded
from ..runtime import active
from ..runtime.work_unit import caller_of
from .spans import UNSET, Observed, begin, current_context, is_idle, nearest, nearest_of, target_of

Entry = tuple[int, Observed | None]  # id of the frame with the `with`; the span, if one was made


class span:  # noqa: N801 - reads as a statement
    """Trace a block of code.

    ```python
    with runspan.span("turn", kind="chain", input="How warm is Paris?") as turn:
        turn.update(output="18 degrees")
    ```

    It works with `with` and `async with`. Before `runspan.instrument()`, and in traces that the sampler drops, it does nothing.
    An object can be entered again, also by several tasks or threads at once; each entry makes a span.

    Args:
        name: Name of the span.
        kind: As for `runspan.observe`.
        input: What to record as the input, as JSON in `input.value`.
        attributes: Attributes of the span.

    Raises:
        ValueError: `kind` is not one of the kinds.
    """

    __slots__ = ("_attributes", "_entries", "_input", "_kind", "_name", "_newest")

    def __init__(
        self,
        name: str,
        *,
        kind: words.Kind = "span",
        input: Any = UNSET,  # noqa: A002
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        if kind not in words.KINDS:
            raise ValueError(f"span(kind={kind!r}): use one of {', '.join(words.KINDS)}.")
        self._name = name
        self._kind = kind
        self._input = input
        self._attributes = attributes or {}
        self._entries: list[Entry] = []  # those not left yet
        self._newest: Observed | None = None

    def __enter__(self) -> span:
        return self._enter(caller_of(currentframe()))

    def _enter(self, frame: FrameType | None) -> span:
        observed = self._begun()
        self._entries.append((id(frame), observed))
        self._newest = observed or self._newest
        return self

    def _begun(self) -> Observed | None:
        state = active.now
        with guarded("begin a span of the app's own"):
            if state is None or is_idle(state, current := current_context()):
                return None
            capture, kind = target_of(state, current).capture, self._kind
            name = capture.texts.word("name", self._name) or CUT
            attributes = {**words.attributes(kind, name), **capture.attributes(self._attributes)}
            show = None if self._input is UNSET else lambda capture: capture.value("input", self._input)
            observed = begin(state, current, kind, words.span_name(kind, name), attributes, show=show)
            observed.enter()
            return observed
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(caller_of(currentframe()), error)

    def _leave(self, frame: FrameType | None, error: BaseException | None) -> None:
        observed = self._left(id(frame))
        if observed is not None:
            observed.leave()
            if error is None:
                observed.done()
            else:
                observed.fail(error)

    async def __aenter__(self) -> span:
        return self._enter(caller_of(currentframe()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(caller_of(currentframe()), error)

    def _left(self, frame: int) -> Observed | None:
        """Which entry is left: that of the same `with`, whose frame lives as long; else the one that is current; else the newest.

        A `with` in a generator or coroutine may be left in another context than it was entered in, where something else is current.
        """
        with guarded("find the span that is left"):
            entries = [entry for entry in self._entries if entry[0] == frame] or self._entries
            if entries:
                here = nearest_of([observed for _, observed in entries if observed is not None])
                entry = next((e for e in reversed(entries) if here is not None and e[1] is here), entries[-1])
                self._entries.remove(entry)
                return entry[1]
        return None

    def _here(self) -> Observed | None:
        """The entry that this is about: the one around the running code, else the newest."""
        if len(self._entries) < 2:
            return self._newest
        return nearest_of([observed for _, observed in self._entries if observed is not None]) or self._newest

    def update(
        self,
        *,
        name: str | None = None,
        input: Any = UNSET,  # noqa: A002
        output: Any = UNSET,
        metadata: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Do what `runspan.update` does, for this span."""
        with guarded("update a span of the app's own"):
            observed = self._here()
            if observed is not None:
                observed.update(name, input, output, metadata, attributes)

    @property
    def trace_id(self) -> str | None:
        """Id of the trace, 32 hex digits; None without a span."""
        observed = self._here()
        return None if observed is None else _trace_id(observed.span)

    @property
    def span_id(self) -> str | None:
        """Id of the span, 16 hex digits; None without a span."""
        observed = self._here()
        return None if observed is None else _span_id(observed.span)


def update(
    *,
    name: str | None = None,
    input: Any = UNSET,  # noqa: A002
    output: Any = UNSET,
    metadata: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Add to the innermost observed function or `runspan.span` that runs here. Without one, nothing happens.

    Args:
        name: A new name for the span.
        input: What to record as the input.
        output: What to record as the output. It stays, whatever the function returns.
        metadata: Names and values, added to the metadata of `runspan.context`.
        attributes: Attributes of the span.
    """
    with guarded("update a span of the app's own"):
        observed = nearest()
        if observed is not None:
            observed.update(name, input, output, metadata, attributes)


def current_trace_id() -> str | None:
    """Return the id of the current trace, 32 hex digits; None outside of a trace."""
    return _trace_id(trace.get_current_span(current_context()))


def current_span_id() -> str | None:
    """Return the id of the current span, 16 hex digits; None outside of a span."""
    return _span_id(trace.get_current_span(current_context()))


def _trace_id(of: trace.Span) -> str | None:
    context = of.get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _span_id(of: trace.Span) -> str | None:
    context = of.get_span_context()
    return trace.format_span_id(context.span_id) if context.is_valid else None
