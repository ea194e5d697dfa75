"""Observed functions under logfire's and ddtrace's tracer providers: parents, generators, sessions, tools, pools are the same.

ddtrace brings a runtime for contexts that keeps nothing of ours and never detaches.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pytest

from runspan.fake import FunctionCall, Message, Scenario, Server, Tools, serve

from .test_foreign_providers import PROVIDERS, traced

ONE_CALL = Scenario(
    phases=(Tools((FunctionCall("get_weather", '{"city": "Paris"}'),)), Message("Sunny.")), poll_after_ms=1
)

# Of each script: the tree it makes, as (name, parent's name).
CASES: dict[str, tuple[str, set[tuple[str, str | None]]]] = {
    "generators": (
        """
        @runspan.observe
        def letters():
            for letter in "ab":
                with runspan.span("inside " + letter): pass
                yield letter

        with runspan.span("caller"):
            for letter in letters():
                with runspan.span("between " + letter): pass
            for letter in letters():
                break
            with runspan.span("sibling"): pass
        with runspan.span("later"): pass
        """,
        {
            ("caller", None),
            ("letters", "caller"),
            ("inside a", "letters"),
            ("between a", "caller"),
            ("inside b", "letters"),
            ("between b", "caller"),
            ("sibling", "caller"),
            ("later", None),
        },
    ),
    "async generators and tasks": (
        """
        import asyncio

        @runspan.observe
        async def numbers():
            for number in range(2):
                with runspan.span(f"inside {number}"):
                    await asyncio.sleep(0)
                yield number

        @runspan.observe
        async def task(name):
            await asyncio.sleep(0)
            with runspan.span("in " + name):
                await asyncio.sleep(0)

        async def main():
            with runspan.span("caller"):
                async for number in numbers():
                    with runspan.span(f"between {number}"): pass
                await asyncio.gather(task("one"), task("two"))
            with runspan.span("later"): pass

        asyncio.run(main())
        """,
        {
            ("caller", None),
            ("numbers", "caller"),
            ("inside 0", "numbers"),
            ("between 0", "caller"),
            ("inside 1", "numbers"),
            ("between 1", "caller"),
            ("task", "caller"),
            ("in one", "task"),
            ("in two", "task"),
            ("later", None),
        },
    ),
    "errors and interrupts": (
        """
        @runspan.observe
        def fails(error):
            raise error

        for error in (ValueError(), KeyboardInterrupt()):
            try:
                with runspan.span("caller"):
                    fails(error)
            except BaseException as caught:
                assert caught is error
            with runspan.span("later"): pass
        """,
        {("caller", None), ("fails", "caller"), ("later", None)},
    ),
    "update, ids and user": (
        """
        @runspan.observe
        def inner():
            runspan.update(attributes={"of": "inner"})
            return runspan.current_span_id()

        with runspan.context(user_id="u1"):
            with runspan.span("outer") as outer:
                assert inner() != outer.span_id == runspan.current_span_id()
                runspan.update(attributes={"of": "outer"})
            run = app.whole_run(client)
        with runspan.span("outside"): pass
        runspan.flush(20)
        said = {name: (of.get("of"), of.get("user.id")) for name, of in attributes().items()}
        assert said["inner"] == ("inner", "u1"), said
        assert said["outer"] == ("outer", "u1"), said
        assert said["outside"] == (None, None), said
        assert said["invoke_agent Math Tutor"] == said["chat gpt-4o"] == (None, "u1"), said
        """,
        {
            ("outer", None),
            ("inner", "outer"),
            ("outside", None),
            ("invoke_agent Math Tutor", None),
            ("chat gpt-4o", "invoke_agent Math Tutor"),
        },
    ),
    "the app's own spans around and inside, a pool": (
        """
        from concurrent.futures import ThreadPoolExecutor

        @runspan.observe
        def work(name):
            with tracer.start_as_current_span("of the app in " + name): pass

        with tracer.start_as_current_span("of the app"):
            work("a call")
            with ThreadPoolExecutor(1) as pool:
                pool.submit(work, "a job").result()
                pool.submit(lambda: None).result()
        with runspan.span("later"): pass
        """,
        {
            ("of the app", None),
            ("work", "of the app"),
            ("of the app in a call", "work"),
            ("of the app in a job", "work"),
            ("later", None),
        },
    ),
    "a tool": (
        """
        import json

        @runspan.observe(kind="tool")
        def get_weather(city):
            return city

        with runspan.span("caller"):
            assistant = client.beta.assistants.create(model="gpt-4o", name="Math Tutor", instructions="Help.")
            thread = client.beta.threads.create()
            runs = client.beta.threads.runs
            run = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
            (call,) = run.required_action.submit_tool_outputs.tool_calls
            output = {"tool_call_id": call.id, "output": get_weather(**json.loads(call.function.arguments))}
            runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=thread.id, tool_outputs=[output])
            client.beta.threads.messages.list(thread.id)
            with runspan.span("sibling"): pass
        """,
        {
            ("caller", None),
            ("create_agent Math Tutor", "caller"),
            ("create_thread", "caller"),
            ("invoke_agent Math Tutor", "caller"),
            ("chat gpt-4o", "invoke_agent Math Tutor"),
            ("execute_tool get_weather", "invoke_agent Math Tutor"),
            ("submit_tool_outputs", "caller"),
            ("sibling", "caller"),
        },
    ),
}


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serve(ONE_CALL if request.node.callspec.params["case"] == "a tool" else "text") as server:
        yield server


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_tree_is_the_same_as_under_the_sdks(provider: str, case: str, server: Server) -> None:
    script, expected = CASES[case]
    lines = ["parent = None", *textwrap.dedent(script).splitlines()]
    found = traced(provider, "\n".join(" " * 8 + line for line in lines), server)
    names = {span_id: name for name, _, span_id, _ in found["spans"]}
    orphans = [name for name, _, _, parent_id in found["spans"] if parent_id and parent_id not in names]
    assert orphans == []
    of_tree = {(name, names.get(parent_id)) for name, _, _, parent_id in found["spans"]}
    assert of_tree == expected
