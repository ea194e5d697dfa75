"""What decorating a function changes (nothing), and what a call records."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import inspect
import pickle
import types
import weakref
from collections.abc import AsyncIterator, Awaitable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

import runspan
from runspan.conventions.observed import KINDS
from tests.support.tracing import Traced, attribute

from .trees import given, output, span, spans, status, tree


@runspan.observe
def plain(first: int, /, second: str = "b", *rest: int, flag: bool = False, **more: Any) -> list[Any]:
    """A docstring."""
    return [first, second, rest, flag, more]


@runspan.observe()
async def coroutine(x: int) -> int:
    return x + 1


@runspan.observe(name="items", kind="retriever")
def generator(n: int) -> Iterator[int]:
    yield from range(n)


class Tutor:
    @runspan.observe
    def method(self, question: str) -> str:
        return question.upper()

    @runspan.observe
    @classmethod
    def outer_class(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @classmethod
    @runspan.observe
    def inner_class(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @runspan.observe
    @staticmethod
    def outer_static(x: int) -> int:
        return x

    @staticmethod
    @runspan.observe
    def inner_static(x: int) -> int:
        return x

    @runspan.observe
    def each(self, n: int) -> Iterator[int]:
        yield from range(n)


def test_arguments_are_recorded_by_their_bound_names(traces: Traced) -> None:
    assert plain(1, "x", 2, 3, flag=True, extra=None) == [1, "x", (2, 3), True, {"extra": None}]
    recorded = span(traces, "plain")
    assert given(recorded) == {"first": 1, "second": "x", "rest": [2, 3], "flag": True, "extra": None}
    assert output(recorded) == [1, "x", [2, 3], True, {"extra": None}]


def test_every_shape_of_a_method_works_and_loses_its_receiver(traces: Traced) -> None:
    tutor = Tutor()
    assert tutor.method("why") == "WHY"
    assert [tutor.outer_class(1), Tutor.inner_class(2)] == ["Tutor1", "Tutor2"]
    assert [tutor.outer_static(3), Tutor.inner_static(4)] == [3, 4]
    assert list(tutor.each(2)) == [0, 1]
    assert [(s.name, given(s)) for s in spans(traces)] == [
        ("Tutor.method", {"question": "why"}),
        ("Tutor.outer_class", {"x": 1}),
        ("Tutor.inner_class", {"x": 2}),
        ("Tutor.outer_static", {"x": 3}),
        ("Tutor.inner_static", {"x": 4}),
        ("Tutor.each", {"n": 2}),
    ]


@pytest.mark.parametrize("function", [plain, coroutine, generator, Tutor.method, Tutor.each])
def test_a_decorated_function_keeps_name_signature_module_and_pickle(function: Any) -> None:
    inner = function.__wrapped__
    assert (function.__name__, function.__qualname__, function.__doc__) == (
        inner.__name__,
        inner.__qualname__,
        inner.__doc__,
    )
    assert inspect.signature(function) == inspect.signature(inner)
    assert function.__module__ == __name__
    assert inspect.unwrap(function) is inner
    if "." not in function.__qualname__:
        assert pickle.loads(pickle.dumps(function)) is function


def test_partials_of_and_under_the_decorator_work(traces: Traced) -> None:
    bound: functools.partial[list[Any]] = functools.partial(plain, 1, flag=True)
    assert bound("x")[1] == "x"
    under = runspan.observe(functools.partial(sorted, reverse=True))
    assert under([1, 2]) == [2, 1]
    assert [s.name for s in spans(traces)] == ["plain", "sorted"]
    assert inspect.iscoroutinefunction(functools.partial(coroutine, 1))
    assert inspect.isgeneratorfunction(functools.partial(generator, 1))


def test_injection_by_signature_sees_the_parameters() -> None:
    """As FastAPI and pytest do it: parameters by name, annotations resolved."""

    def needs(question: str, limit: int = 3) -> Iterator[str]:
        yield question * limit

    seen = runspan.observe(needs)
    assert list(inspect.signature(seen).parameters) == ["question", "limit"]
    assert inspect.get_annotations(seen, eval_str=True) == inspect.get_annotations(needs, eval_str=True)
    assert inspect.isgeneratorfunction(seen)


def test_context_managers_made_of_observed_generators_work(traces: Traced) -> None:
    @contextmanager
    @runspan.observe
    def resource(name: str) -> Iterator[str]:
        with suppress(ValueError):
            yield name

    @asynccontextmanager
    @runspan.observe
    async def aresource() -> AsyncIterator[int]:
        yield 1

    async def main() -> None:
        async with aresource() as number:
            assert number == 1

    with resource("r") as name:
        assert name == "r"
        int("no number")
    asyncio.run(main())
    assert [status(s) for s in spans(traces)] == ["UNSET", "UNSET"]


def test_callable_objects_and_builtins_can_be_observed(traces: Traced) -> None:
    class Adder:
        def __call__(self, x: int) -> int:
            return x + 1

    class AsyncAdder:
        async def __call__(self, x: int) -> int:
            return x + 1

    assert runspan.observe(Adder())(1) == 2
    assert asyncio.run(runspan.observe(AsyncAdder())(2)) == 3
    assert runspan.observe(len)("abc") == 3
    assert [(s.name, output(s)) for s in spans(traces)] == [("Adder", 2), ("AsyncAdder", 3), ("len", 3)]


@pytest.mark.parametrize(
    ("wrong", "cure"),
    [
        (Tutor, "Decorate the methods of the class one by one"),
        (property(lambda self: 1), "Put @observe below @property"),
        (functools.cached_property(lambda self: 1), "below @cached_property"),
        (functools.singledispatchmethod(lambda self: 1), "below @singledispatchmethod and below each"),
        (functools.partialmethod(lambda self: 1), "on the method that partialmethod"),
        (classmethod(property(lambda cls: 1)), "below @property"),
        ("answer", r"write @observe\(name=...\)"),
        (3, "Pass the function itself"),
    ],
)
def test_what_is_no_function_is_refused_at_once_with_the_cure(wrong: Any, cure: str) -> None:
    with pytest.raises(TypeError, match=cure):
        runspan.observe(wrong)


def test_the_cures_for_what_is_no_function_work(traces: Traced) -> None:
    class Cured:
        @property
        @runspan.observe(name="property")
        def one(self) -> int:
            return 1

        @functools.cached_property
        @runspan.observe(name="cached_property")
        def two(self) -> int:
            return 2

        @functools.singledispatchmethod
        @runspan.observe(name="dispatch")
        def three(self, x: Any) -> int:
            return 3

        @three.register
        @runspan.observe(name="register")
        def _(self, x: str) -> int:
            return 4

        @runspan.observe(name="whole")
        def five(self, x: int) -> int:
            return x

        part = functools.partialmethod(five, 5)

    cured = Cured()
    assert (cured.one, cured.two, cured.three(0), cured.three("x"), cured.part()) == (1, 2, 3, 4, 5)
    assert {s.name: output(s) for s in spans(traces)} == {
        "property": 1,
        "cached_property": 2,
        "dispatch": 3,
        "register": 4,
        "whole": 5,
    }


def test_an_unknown_kind_is_refused_at_once_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="use one of span, chain, agent, tool"):
        runspan.observe(kind="tol")
    with pytest.raises(ValueError, match="use one of span"):
        runspan.span("x", kind="tol")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_says_its_word_in_each_convention(traces: Traced, kind: str) -> None:
    runspan.observe(name="thing", kind=kind)(lambda x: x)(1)
    (recorded,) = spans(traces)
    words = {
        "span": ("thing", "CHAIN", None),
        "chain": ("thing", "CHAIN", None),
        "agent": ("invoke_agent thing", "AGENT", "invoke_agent"),
        "tool": ("execute_tool thing", "TOOL", "execute_tool"),
        "retriever": ("thing", "RETRIEVER", "retrieval"),
        "generation": ("thing", "LLM", "chat"),
        "embedding": ("thing", "EMBEDDING", "embeddings"),
        "evaluator": ("thing", "EVALUATOR", None),
        "guardrail": ("thing", "GUARDRAIL", None),
    }
    said = (
        recorded.name,
        attribute(recorded, "openinference.span.kind"),
        attribute(recorded, "gen_ai.operation.name"),
    )
    assert said == words[kind]


def test_switches_transforms_attributes_and_reduce_do_what_they_say(traces: Traced) -> None:
    @runspan.observe(capture_input=False, attributes={"team": "maths"})
    def silent(x: int) -> int:
        return x

    @runspan.observe(capture_output=False, transform_input=lambda given: {"shown": given["x"] * 10})
    def shown(x: int) -> int:
        return x

    @runspan.observe(transform_output=lambda result: {"n": len(result)})
    def long() -> list[int]:
        return [0] * 5

    @runspan.observe(reduce=sum)
    def items() -> Iterator[int]:
        yield from (1, 2, 3)

    silent(1), shown(2), long(), list(items())
    assert [(given(s), output(s)) for s in spans(traces)] == [
        (None, 1),
        ({"shown": 20}, None),
        (None, {"n": 5}),
        (None, 6),
    ]
    assert attribute(spans(traces)[0], "team") == "maths"


@pytest.mark.expects_swallowed
def test_a_transform_that_fails_costs_its_value_only(traces: Traced) -> None:
    @runspan.observe(transform_input=lambda given: 1 / 0, transform_output=lambda result: 1 / 0)
    def risky(x: int) -> int:
        return x

    assert risky(3) == 3
    assert (given(span(traces, "risky")), output(span(traces, "risky"))) == (None, None)


def test_returned_awaitables_are_followed_and_stay_what_they_are(traces: Traced) -> None:
    async def work(x: int) -> int:
        with runspan.span("inside"):
            await asyncio.sleep(0)
        return x

    @runspan.observe
    def returns_coroutine() -> Awaitable[int]:
        return work(1)

    @runspan.observe
    def returns_task() -> asyncio.Task[int]:
        return asyncio.ensure_future(work(2))

    @runspan.observe
    def returns_generator() -> AsyncIterator[int]:
        async def each() -> AsyncIterator[int]:
            yield 3

        return each()

    async def main() -> None:
        made = returns_coroutine()
        assert inspect.iscoroutine(made)
        task = returns_task()
        assert isinstance(task, asyncio.Task)
        assert [await made, await task] == [1, 2]
        assert [number async for number in returns_generator()] == [3]

    asyncio.run(main())
    named = {s.name: output(s) for s in spans(traces) if s.name != "inside"}
    assert named == {"returns_coroutine": 1, "returns_task": 2, "returns_generator": [3]}
    assert {parent for name, parent in tree(traces) if name == "inside"} == {
        "returns_coroutine",
        "returns_task",
    }


def test_a_failed_or_cancelled_task_that_was_returned_ends_its_span(traces: Traced) -> None:
    async def fails() -> None:
        raise ValueError("no")

    @runspan.observe
    def failing() -> asyncio.Future[None]:
        return asyncio.ensure_future(fails())

    @runspan.observe
    def cancelled() -> asyncio.Future[None]:
        return asyncio.ensure_future(asyncio.sleep(60))

    async def main() -> None:
        one, other = failing(), cancelled()
        other.cancel()
        with pytest.raises(ValueError, match="no"):
            await one
        with pytest.raises(asyncio.CancelledError):
            await other

    asyncio.run(main())
    assert status(span(traces, "failing")) == "ERROR"
    assert status(span(traces, "cancelled")) == "UNSET"


def test_other_things_that_are_returned_are_the_very_same_objects(traces: Traced) -> None:
    class Odd:
        def __await__(self) -> Generator[Any, None, int]:
            return iter(())  # type: ignore[return-value]

    odd, future = Odd(), concurrent.futures.Future[int]()

    @runspan.observe
    def identity(x: Any) -> Any:
        return x

    assert identity(odd) is odd
    assert identity(future) is future


def held(make: Any) -> Any:
    """A function that gives out what it keeps."""
    made = make()
    return (lambda: made), made


async def _agenerator() -> AsyncIterator[int]:
    yield 1


KEPT = {
    "generator": lambda: (number for number in range(3)),
    "coroutine": lambda: asyncio.sleep(0, 1),
    "async generator": _agenerator,
}


@pytest.mark.parametrize("decorate", [runspan.observe, runspan.context(session_id="s")])
@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.filterwarnings("ignore:coroutine 'sleep' was never awaited")
def test_what_others_hold_is_returned_as_the_same_object(traces: Traced, kind: str, decorate: Any) -> None:
    """Something that stands in for it would be told from it."""
    give, made = held(KEPT[kind])
    assert decorate(give)() is made

    async def agive() -> Any:
        return made

    assert asyncio.run(decorate(agive)()) is made
    referred = KEPT[kind]()
    weak = weakref.ref(referred)
    assert decorate(lambda: weak())() is referred
    assert {s.status.status_code.name for s in spans(traces)} <= {"UNSET"}


def test_what_nobody_else_holds_is_followed(traces: Traced) -> None:
    """The count of references is the interpreter's own affair: this shows that it is understood."""

    @runspan.observe
    def plain_function() -> Any:
        return (runspan.current_span_id() for _ in range(1))

    @runspan.observe
    async def coroutine_function() -> Any:
        return (runspan.current_span_id() for _ in range(1))

    @runspan.context(session_id="s")
    def in_context() -> Any:
        return (plain(1) for _ in range(1))

    ids = [list(plain_function()), list(asyncio.run(coroutine_function()))]
    assert ids == [[trace.format_span_id(s.context.span_id)] for s in spans(traces)]
    list(in_context())
    assert attribute(span(traces, "plain"), "session.id") == "s"


def test_old_style_coroutines_stay_awaitable(traces: Traced) -> None:
    @runspan.observe
    @types.coroutine
    def old() -> Generator[Any, Any, int]:
        yield from asyncio.sleep(0).__await__()
        return 5

    async def main() -> int:
        result: int = await old()
        return result

    assert asyncio.run(main()) == 5


def test_a_generator_keeps_the_context_of_its_call_when_others_consume_it(traces: Traced) -> None:
    """A StreamingResponse is made in the endpoint and read by the server (langfuse 8216, weave 4511)."""

    @runspan.observe
    async def endpoint() -> AsyncIterator[int]:
        return stream()

    @runspan.observe
    async def stream() -> AsyncIterator[int]:
        yield 1

    async def server() -> None:
        body = await endpoint()
        await asyncio.create_task(_drain(body))

    asyncio.run(server())
    assert tree(traces) == [("endpoint", None), ("stream", "endpoint")]


async def _drain(body: AsyncIterator[int]) -> None:
    async for _ in body:
        pass


def test_arguments_are_recorded_as_they_were_at_the_call(traces: Traced) -> None:
    @runspan.observe
    def changes(items: list[int]) -> list[int]:
        items.append(9)
        return items

    @runspan.observe
    def later(items: list[int]) -> Iterator[int]:
        yield from items

    result = changes([1])
    result.append(10)
    items = [1]
    made = later(items)
    items.append(2)
    assert list(made) == [1, 2]
    assert given(span(traces, "changes")) == {"items": [1]}
    assert output(span(traces, "changes")) == [1, 9]
    assert given(span(traces, "later")) == {"items": [1]}


def test_an_abandoned_generator_ends_its_span_when_it_is_collected(traces: Traced) -> None:
    @runspan.observe
    def returns() -> Iterator[int]:
        return (n for n in range(3))

    made = returns()
    begun = generator(3)
    next(begun)
    assert spans(traces) == []
    del made, begun
    gc.collect()
    assert sorted(s.name for s in spans(traces)) == ["items", "returns"]
    generator(3)
    gc.collect()
    assert len(spans(traces)) == 2  # never begun: it did nothing


def test_without_instrument_nothing_happens() -> None:
    assert plain(1)[0] == 1
    assert list(generator(2)) == [0, 1]
    with runspan.span("x") as here:
        here.update(output=1)
        assert (here.trace_id, runspan.current_trace_id(), runspan.current_span_id()) == (None, None, None)
    runspan.update(output=1)
    runspan.score("x", 1.0)


def test_where_instrumentation_is_suppressed_nothing_happens(traces: Traced) -> None:
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    plain(1), list(generator(1))
    detach(token)
    assert spans(traces) == []


def test_ids_are_those_of_the_current_span(traces: Traced) -> None:
    with runspan.span("here") as here:
        context = trace.get_current_span().get_span_context()
        assert runspan.current_trace_id() == here.trace_id == trace.format_trace_id(context.trace_id)
        assert runspan.current_span_id() == here.span_id == trace.format_span_id(context.span_id)


def test_update_speaks_of_the_innermost_span(traces: Traced) -> None:
    @runspan.observe(kind="tool")
    def lookup(x: int) -> str:
        runspan.update(
            name="search", input={"q": x}, output="first", metadata={"a": 1}, attributes={"k": "v"}
        )
        runspan.update(output="shown", metadata={"b": 2})
        return "returned"

    assert lookup(1) == "returned"
    recorded = span(traces, "execute_tool search")
    assert (given(recorded), output(recorded)) == ({"q": 1}, "shown")
    assert attribute(recorded, "metadata") == '{"a":1,"b":2}'
    assert attribute(recorded, "k") == "v"


def test_a_span_can_be_awaited_and_takes_an_input(traces: Traced) -> None:
    async def main() -> None:
        async with runspan.span("turn", kind="chain", input="q", attributes={"k": 1}) as turn:
            turn.update(output="a")

    asyncio.run(main())
    recorded = span(traces, "turn")
    assert (given(recorded), output(recorded), attribute(recorded, "k")) == ("q", "a", 1)
