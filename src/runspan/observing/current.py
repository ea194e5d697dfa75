"""`runspan.span`, `runspan.update` and the ids of what is current."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from opentelemetry import trace

from ..conventions import observed as words
from ..core.redact import CUT
from ..guard import guarded, swallow
from ..runtime import active
from .capture import Capture, Shown
from .spans import UNSET, Observed, begin, current_context, is_idle, nearest, target_of


class span:  # noqa: N801 - reads as a statement
    """A span around a block, sync or async:

        with runspan.span("turn", kind="chain", input=question) as turn:
            turn.update(output=answer)

    kind as for `observe`. Without `runspan.instrument()`, and where nothing is sampled, it does nothing.
    """

    __slots__ = ("_attributes", "_input", "_kind", "_name", "_observed")

    def __init__(
        self,
        name: str,
        *,
        kind: str = "span",
        input: Any = UNSET,  # noqa: A002
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        if kind not in words.KINDS:
            raise ValueError(f"span(kind={kind!r}): use one of {', '.join(words.KINDS)}.")
        self._name = name
        self._kind = kind
        self._input = input
        self._attributes = attributes or {}
        self._observed: Observed | None = None

    def __enter__(self) -> span:
        state = active.now
        if state is None:
            return self
        try:
            current = current_context()
            if not is_idle(state, current):
                capture = target_of(state, current).capture
                name = capture.texts.word("name", self._name) or CUT
                attributes = {
                    **words.attributes(self._kind, name),
                    **capture.attributes(self._attributes),
                }
                observed = begin(
                    state,
                    current,
                    self._kind,
                    words.span_name(self._kind, name),
                    attributes,
                    show=None if self._input is UNSET else self._show,
                )
                observed.enter()
                self._observed = observed
        except Exception as error:
            swallow("begin a span of the app's own", error)
        return self

    def _show(self, capture: Capture) -> Shown:
        return capture.value("input", self._input)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        observed = self._observed
        if observed is not None:
            observed.leave()
            if error is None:
                observed.done()
            else:
                observed.fail(error)

    async def __aenter__(self) -> span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def update(
        self,
        *,
        name: str | None = None,
        input: Any = UNSET,  # noqa: A002
        output: Any = UNSET,
        metadata: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """As `runspan.update`, for this span."""
        if self._observed is not None:
            with guarded("update a span of the app's own"):
                self._observed.update(name, input, output, metadata, attributes)

    @property
    def trace_id(self) -> str | None:
        """32 hex digits; None where there is no span."""
        return None if self._observed is None else _trace_id(self._observed.span)

    @property
    def span_id(self) -> str | None:
        """16 hex digits; None where there is no span."""
        return None if self._observed is None else _span_id(self._observed.span)


def update(
    *,
    name: str | None = None,
    input: Any = UNSET,  # noqa: A002
    output: Any = UNSET,
    metadata: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Say more of the innermost observed function or `runspan.span` that runs here; nothing happens where there is none.

    An output given so stays, whatever the function returns. metadata is added to what `runspan.context` gave.
    """
    with guarded("update a span of the app's own"):
        observed = nearest()
        if observed is not None:
            observed.update(name, input, output, metadata, attributes)


def current_trace_id() -> str | None:
    """The trace that spans begun here belong to, as 32 hex digits; None outside of any."""
    return _trace_id(trace.get_current_span())


def current_span_id() -> str | None:
    """The span that is current here, as 16 hex digits; None outside of any."""
    return _span_id(trace.get_current_span())


def _trace_id(of: trace.Span) -> str | None:
    context = of.get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _span_id(of: trace.Span) -> str | None:
    context = of.get_span_context()
    return trace.format_span_id(context.span_id) if context.is_valid else None
