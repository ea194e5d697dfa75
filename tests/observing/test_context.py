"""`runspan.context`: session, user, tags and metadata on every span below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

import runspan
from runspan.fake import SimulatedClock, serve
from runspan.testing import swallowed
from tests.support.playing import client_of
from tests.support.tracing import Traced, attribute

from .trees import span, spans, tree

KEYS = ("session.id", "user.id", "tag.tags", "metadata", "runspan.trace.name")


def said(of: ReadableSpan) -> dict[str, Any]:
    return {key: value for key in KEYS if (value := attribute(of, key)) is not None}


class Wrong:
    def __bool__(self) -> bool:
        raise ZeroDivisionError


def leaf(name: str) -> None:
    with runspan.span(name):
        pass


def test_it_is_on_every_span_below_across_tasks_and_pools(traces: Traced) -> None:
    async def main() -> None:
        await asyncio.gather(asyncio.to_thread(leaf, "thread"), asyncio.create_task(_leaf("task")))

    with runspan.context(session_id="s", user_id="u", tags=["b"], metadata={"plan": "pro"}):
        asyncio.run(main())
        with ThreadPoolExecutor(1) as pool:
            pool.submit(leaf, "pool").result()
    leaf("outside")
    whole = {"session.id": "s", "user.id": "u", "tag.tags": ("b",), "metadata": '{"plan":"pro"}'}
    assert {s.name: said(s) for s in spans(traces)} == {
        "thread": whole,
        "task": whole,
        "pool": whole,
        "outside": {},
    }


async def _leaf(name: str) -> None:
    leaf(name)


def test_contexts_nest(traces: Traced) -> None:
    with runspan.context(session_id="s1", user_id="u", tags=["a", "b"], metadata={"x": 1, "y": 1}):
        with runspan.context(session_id="s2", tags=["b", "c"], metadata={"y": 2}):
            leaf("inner")
        leaf("outer")
    assert said(span(traces, "inner")) == {
        "session.id": "s2",
        "user.id": "u",
        "tag.tags": ("a", "b", "c"),
        "metadata": '{"x":1,"y":2}',
    }
    assert said(span(traces, "outer"))["session.id"] == "s1"


def test_trace_name_names_a_root_and_is_an_attribute_below(traces: Traced) -> None:
    with runspan.context(trace_name="chat turn"), runspan.span("root"):
        leaf("child")
    assert tree(traces) == [("chat turn", None), ("child", "chat turn")]
    assert attribute(span(traces, "child"), "runspan.trace.name") == "chat turn"


def test_it_decorates_functions_of_every_kind(traces: Traced) -> None:
    about = runspan.context(session_id="s")

    @about
    def plain() -> int:
        leaf("plain")
        return 1

    @about
    async def coroutine() -> int:
        leaf("coroutine")
        return 2

    @about
    def generator() -> Iterator[int]:
        leaf("generator")
        yield 3

    @about
    async def agenerator() -> AsyncIterator[int]:
        leaf("agenerator")
        yield 4

    async def main() -> list[int]:
        return [await coroutine(), *[n async for n in agenerator()]]

    assert plain() == 1
    for number in generator():
        leaf("between")
        assert number == 3
    assert asyncio.run(main()) == [2, 4]
    assert {s.name: said(s).get("session.id") for s in spans(traces)} == {
        "plain": "s",
        "generator": "s",
        "between": None,
        "coroutine": "s",
        "agenerator": "s",
    }


def test_it_decorates_methods_of_every_kind_and_functions_that_return_what_runs_later(traces: Traced) -> None:
    about = runspan.context(session_id="s")

    class Turn:
        @about
        @classmethod
        def of_class(cls) -> None:
            leaf("of_class")

        @about
        @staticmethod
        def static() -> None:
            leaf("static")

    @about
    def returns_generator() -> Iterator[None]:
        return (leaf(f"item {number}") for number in range(2))

    @about
    def returns_coroutine() -> Any:
        return _leaf("awaited")

    async def main() -> None:
        made = returns_coroutine()
        leaf("between")
        await made

    Turn.of_class(), Turn().static()
    items = returns_generator()
    leaf("between")
    list(items)
    asyncio.run(main())
    assert {s.name: said(s).get("session.id") for s in spans(traces)} == {
        **dict.fromkeys(("of_class", "static", "item 0", "item 1", "awaited"), "s"),
        "between": None,
    }


def test_one_object_entered_by_several_tasks_at_once_is_left_by_each(traces: Traced) -> None:
    about = runspan.context(session_id="s")

    async def turn(name: str, waits: int) -> None:
        async with about:
            for _ in range(waits):
                await asyncio.sleep(0)
            leaf(name)
        leaf(f"after {name}")

    async def main() -> None:
        await asyncio.gather(turn("long", 4), turn("short", 1))

    asyncio.run(main())
    with about, about:
        leaf("twice")
    leaf("after twice")
    assert {s.name: said(s).get("session.id") for s in spans(traces)} == {
        **dict.fromkeys(("long", "short", "twice"), "s"),
        **dict.fromkeys(("after long", "after short", "after twice")),
    }


def test_overlapping_calls_of_one_decorated_function_are_apart(traces: Traced) -> None:
    @runspan.context(session_id="s")
    async def turn(name: str) -> None:
        await asyncio.sleep(0)
        leaf(name)
        await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(turn("one"), turn("two"))
        leaf("after")

    asyncio.run(main())
    assert {s.name: said(s).get("session.id") for s in spans(traces)} == {
        "one": "s",
        "two": "s",
        "after": None,
    }


def test_a_text_is_one_tag(traces: Traced) -> None:
    with runspan.context(tags="beta"):
        leaf("one")
    assert said(span(traces, "one")) == {"tag.tags": ("beta",)}


def test_an_empty_text_is_nothing(traces: Traced) -> None:
    with runspan.context(session_id="", user_id="", tags=["", "a"], trace_name=""):
        leaf("one")
    assert said(span(traces, "one")) == {"tag.tags": ("a",)}


@pytest.mark.expects_swallowed
@pytest.mark.parametrize(
    ("option", "wrong"), [("tags", 5), ("tags", Wrong()), ("metadata", "x"), ("metadata", Wrong())]
)
def test_what_is_no_list_of_tags_or_no_metadata_is_left_out(traces: Traced, option: str, wrong: Any) -> None:
    with swallowed() as seen, runspan.context(user_id="u", **{option: wrong}):
        leaf("one")
    assert said(span(traces, "one")) == {"user.id": "u"}
    assert [f"{option}= of runspan.context, which takes" in one.site for one in seen] == [True]


def test_without_instrument_it_does_nothing() -> None:
    with runspan.context(session_id="s") as about:
        assert about is not None


@pytest.mark.parametrize("session", [None, "mine"])
def test_runs_and_calls_carry_it_and_its_session_wins_over_the_thread(
    traces: Traced, session: str | None
) -> None:
    with serve("text", SimulatedClock()) as server, client_of("OpenAI", server) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Help.")
        with runspan.context(
            session_id=session, user_id="u", tags=["t"], metadata={"k": "v"}, trace_name="turn"
        ):
            with runspan.span("root"):
                thread = client.beta.threads.create()
                client.beta.threads.messages.create(thread.id, role="user", content="Hi")
            run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        client.beta.threads.messages.list(thread.id)
    assert run.status == "completed"
    found = {s.name: s for s in traces.spans() if s.name != "create_agent"}
    assert set(found) == {
        "turn",
        "create_thread",
        "create_message",
        "chat gpt-4o",
    }  # the root run is named so too
    assert {s.name for s in traces.runs()} == {"turn"}
    for one in traces.spans():
        assert attribute(one, "user.id") == "u"
        assert attribute(one, "tag.tags") == ("t",)
        assert attribute(one, "metadata") == '{"k":"v"}'
    assert attribute(traces.run(), "session.id") == (session or thread.id)
    assert attribute(traces.generation(), "session.id") == (session or thread.id)
    assert attribute(found["create_message"], "session.id") == (session or thread.id)
