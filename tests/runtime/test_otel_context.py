"""The current Context where another runtime keeps it: as ddtrace's, which holds a span and nothing else, and never detaches."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from runspan.runtime.otel_context import _Beside

KEY = "runspan-context"


def with_span(number: int, **more: Any) -> Context:
    span = NonRecordingSpan(SpanContext(number, number, False, TraceFlags(1)))
    return trace.set_span_in_context(
        span, Context({key.replace("_", "-"): value for key, value in more.items()})
    )


def number_of(context: Context) -> int:
    return trace.get_current_span(context).get_span_context().span_id


class SpanOnly:
    def __init__(self) -> None:
        self._span: contextvars.ContextVar[Any] = contextvars.ContextVar("span", default=trace.INVALID_SPAN)

    def attach(self, context: Context) -> object:
        span = trace.get_current_span(context)
        if span is not trace.INVALID_SPAN:  # no span is no news to it
            self._span.set(span)
        return object()

    def get_current(self) -> Context:
        return trace.set_span_in_context(self._span.get(), Context())

    def detach(self, token: object) -> None:
        pass


def test_what_is_ours_is_kept_and_what_was_before_is_current_again() -> None:
    place = _Beside(SpanOnly())
    outer = place.attach(with_span(1, runspan_context="a", of_others="x"))
    inner = place.attach(with_span(2, runspan_context="b"))
    assert (number_of(place.get_current()), place.get_current().get(KEY)) == (2, "b")
    place.detach(inner)
    assert (number_of(place.get_current()), place.get_current().get(KEY)) == (1, "a")
    assert "of-others" not in place.get_current()  # the runtime's own loss
    place.detach(outer)
    assert (number_of(place.get_current()), place.get_current().get(KEY)) == (0, None)


def test_a_context_without_a_span_hides_the_one_that_is_current() -> None:
    place = _Beside(SpanOnly())
    place.attach(with_span(1))
    token = place.attach(Context())
    assert number_of(place.get_current()) == 0
    place.detach(token)
    assert number_of(place.get_current()) == 1


def test_leaving_in_another_context_is_an_error_as_with_the_sdks_and_changes_nothing() -> None:
    place = _Beside(SpanOnly())
    token = contextvars.copy_context().run(place.attach, with_span(2))
    place.attach(with_span(1))
    with pytest.raises(ValueError, match="different Context"):
        place.detach(token)
    assert number_of(place.get_current()) == 1
