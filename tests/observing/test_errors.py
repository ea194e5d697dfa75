"""What the app raises goes on as it is, and is recorded once."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Generator, Iterator
from typing import Any

import pytest

import runspan
from tests.support.tracing import Traced, attribute, traced

from .trees import events, span, spans, status, tree


class FaultError(Exception):
    """With a state of its own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


FAULT = FaultError("the secret is 42", 7)


@runspan.observe
def inner() -> None:
    raise FAULT


@runspan.observe
def outer() -> None:
    inner()


def test_an_error_is_recorded_where_it_arose_and_every_span_above_is_an_error(traces: Traced) -> None:
    with pytest.raises(FaultError), runspan.span("top"):
        outer()
    assert [(s.name, status(s), s.status.description) for s in spans(traces)] == [
        ("inner", "ERROR", "the secret is 42"),
        ("outer", "ERROR", "the secret is 42"),
        ("top", "ERROR", "the secret is 42"),
    ]
    kind = f"{__name__}.FaultError"
    assert [attribute(s, "error.type") for s in spans(traces)] == [kind] * 3
    assert [events(s) for s in spans(traces)] == [
        [("exception", {"exception.type": kind, "exception.message": "the secret is 42"})],
        [],
        [],
    ]


def test_a_second_error_from_the_same_place_is_recorded_again(traces: Traced) -> None:
    for _ in range(2):
        with pytest.raises(FaultError):
            inner()
    assert [len(s.events) for s in spans(traces)] == [1, 1]


def test_the_exception_object_is_untouched(traces: Traced) -> None:
    error = FaultError("x", 1)
    before = dict(vars(error))

    @runspan.observe
    def fails() -> None:
        raise error

    with pytest.raises(FaultError) as caught:
        fails()
    assert caught.value is error
    assert (vars(error), error.__cause__, error.__context__) == (before, None, None)
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_no_exception_goes_through_and_ends_the_span(
    traces: Traced, kind: type[BaseException], is_async: bool
) -> None:
    @runspan.observe
    def sync() -> None:
        raise kind

    @runspan.observe
    async def coroutine() -> None:
        raise kind

    with pytest.raises(kind):
        coroutine().send(None) if is_async else sync()
    (recorded,) = spans(traces)
    assert status(recorded) == ("ERROR" if kind is KeyboardInterrupt else "UNSET")


def test_an_exit_with_a_code_is_an_error(traces: Traced) -> None:
    with pytest.raises(SystemExit), runspan.span("leaves"):
        raise SystemExit(3)
    assert status(span(traces, "leaves")) == "ERROR"


def test_an_error_in_a_generator_is_its_spans_and_the_consumers(traces: Traced) -> None:
    @runspan.observe
    def breaks() -> Iterator[int]:
        yield 1
        raise FAULT

    @runspan.observe
    def consumer() -> list[int]:
        return list(breaks())

    with pytest.raises(FaultError):
        consumer()
    assert [(s.name, status(s), len(s.events)) for s in spans(traces)] == [
        ("breaks", "ERROR", 1),
        ("consumer", "ERROR", 0),
    ]


def test_errors_of_unhelpful_classes_are_recorded_without_their_text(traces: Traced) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    with pytest.raises(MuteError), runspan.span("mute"):
        raise MuteError
    assert [name for name, _ in events(span(traces, "mute"))] == ["exception"]
    assert "exception.message" not in events(span(traces, "mute"))[0][1]


def test_without_content_no_text_of_an_error_goes_out() -> None:
    with traced(capture_content=False) as traces:
        with pytest.raises(FaultError):
            outer()
        said = str([(s.attributes, s.status.description, events(s)) for s in spans(traces)])
        assert "secret" not in said
        assert [status(s) for s in spans(traces)] == ["ERROR", "ERROR"]


def test_errors_are_redacted() -> None:
    with traced(redact=lambda kind, text: text.replace("42", "##")) as traces:
        with pytest.raises(FaultError):
            inner()
        assert span(traces, "inner").status.description == "the secret is ##"


def test_a_coroutine_closed_in_another_context_leaves_no_trace_and_no_log(
    traces: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """ "Token was created in a different Context" (langfuse 9198, openllmetry 3061, opentelemetry 2606)."""

    class Pause:
        def __await__(self) -> Generator[None, None, None]:
            yield

    @runspan.observe
    async def waits() -> None:
        with runspan.span("held"):
            await Pause()

    one: Any = waits()
    contextvars.copy_context().run(one.send, None)
    contextvars.copy_context().run(one.close)
    assert tree(traces) == [("waits", None), ("held", "waits")]
    assert [status(s) for s in spans(traces)] == ["UNSET", "UNSET"]
    assert caplog.records == []


def test_a_generator_closed_in_another_context_leaves_no_trace_and_no_log(
    traces: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    @runspan.observe
    def letters() -> Iterator[str]:
        with runspan.span("held"):
            yield "a"

    each: Any = letters()
    assert contextvars.copy_context().run(next, each) == "a"
    contextvars.copy_context().run(each.close)
    with runspan.span("later"):
        pass
    assert tree(traces) == [("letters", None), ("held", "letters"), ("later", None)]
    assert caplog.records == []


def test_a_huge_message_and_a_repr_of_the_app_cost_nothing(traces: Traced) -> None:
    class Slow:
        def __repr__(self) -> str:
            raise AssertionError("ran")

    for error in (ValueError("x" * 50_000_000), ValueError(Slow())):
        with pytest.raises(ValueError), runspan.span("s"):  # noqa: PT011 - the very error
            raise error
    huge, shown = (s.status.description or "" for s in spans(traces))
    assert len(huge) <= 16_384
    assert shown.endswith("Slow>")
