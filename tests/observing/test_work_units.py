"""A function takes a waiting call only in the unit of work that saw the run ask: never one user's call in another user's run."""

from __future__ import annotations

import asyncio
import contextvars
import json
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
from openai import AssistantEventHandler

import runspan
from runspan.fake import FunctionCall, Message, Scenario, Server, SimulatedClock, Tools, serve
from tests.support.odd_server import odd_server
from tests.support.playing import client_of
from tests.support.tracing import Traced, attribute

PARIS = Tools((FunctionCall("get_weather", '{"city": "Paris"}'),))
ASKS = Scenario(phases=(PARIS, Message("Sunny.")), poll_after_ms=1)
ASKS_TWICE = Scenario(phases=(PARIS, PARIS, Message("Sunny.")), poll_after_ms=1)


@runspan.observe(kind="tool")
def get_weather(city: str, answers: str = "") -> str:
    """`answers` is the id of the run that the app answers with it."""
    runspan.update(attributes={"answers": answers})
    return f"{city}: 12 °C"


class User:
    """One user's conversation, as an app keeps it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.runs = client.beta.threads.runs
        self.run: Any = None

    def ask(self) -> None:
        assistant = self.client.beta.assistants.create(model="gpt-4o", instructions="Help.")
        thread = self.client.beta.threads.create()
        self.run = self.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        assert self.run.status == "requires_action"

    def call(self) -> None:
        """The tool, outside of any run."""
        get_weather("Paris")

    def answer(self) -> None:
        self.submit(outputs_of(self.run))

    def submit(self, outputs: list[Any]) -> None:
        self.run = self.runs.submit_tool_outputs_and_poll(
            run_id=self.run.id, thread_id=self.run.thread_id, tool_outputs=outputs
        )

    def leave(self) -> None:
        self.run = None


def outputs_of(run: Any) -> list[Any]:
    return [output_of(call, run.id) for call in run.required_action.submit_tool_outputs.tool_calls]


def output_of(call: Any, run_id: str) -> Any:
    return {
        "tool_call_id": call.id,
        "output": get_weather(**json.loads(call.function.arguments), answers=run_id),
    }


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(ASKS, SimulatedClock()) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with client_of("OpenAI", server) as client:
        yield client


def landings(traces: Traced) -> list[tuple[str, str]]:
    """Of each call of the tool: the id of the run that the app answered with it, and of the run that its span is in. "": none."""
    runspan.uninstrument()  # runs that wait for ever go out, too
    spans = traces.exporter.get_finished_spans()
    runs = {s.context.span_id: attribute(s, "runspan.run.id") or "" for s in spans}
    tools = [s for s in spans if attribute(s, "answers") is not None]
    return [(attribute(s, "answers"), runs.get(s.parent.span_id, "") if s.parent else "") for s in tools]


def is_one_of_a_run(landing: tuple[str, str]) -> bool:
    return landing[0] != "" and landing[0] == landing[1]


# ---------------------------------------------------------------- never in another run

Step = tuple[str, Callable[[], None]]  # whose, what


def one_after_the_other(steps: list[Step]) -> None:
    for _, step in steps:
        step()


def in_a_copied_context(steps: list[Step]) -> None:
    """As where a task is made by the first request and serves all others."""
    (_, first), *others = steps
    first()
    inherited = contextvars.copy_context()
    for _, step in others:
        inherited.run(step)


def in_a_span_each(steps: list[Step]) -> None:
    for user, step in steps:
        with runspan.span(f"request of {user}"):
            step()


def in_one_span(steps: list[Step]) -> None:
    with runspan.span("session"):
        one_after_the_other(steps)


def about_a_user_each(steps: list[Step]) -> None:
    for user, step in steps:
        with runspan.context(user_id=user):
            step()


def as_jobs_of_a_pool(steps: list[Step]) -> None:
    with ThreadPoolExecutor(1) as pool:
        for _, step in steps:
            pool.submit(step).result()


def as_jobs_of_another_pool(steps: list[Step]) -> None:
    with ThreadPool(1) as pool:
        for _, step in steps:
            pool.apply(step)


def in_a_thread_each(steps: list[Step]) -> None:
    todo: dict[str, queue.Queue[Any]] = {user: queue.Queue() for user, _ in steps}

    def serve_one(own: queue.Queue[Any]) -> None:
        while (step := own.get()) is not None:
            step()
            own.task_done()

    threads = [threading.Thread(target=serve_one, args=(own,)) for own in todo.values()]
    for thread in threads:
        thread.start()
    for user, step in steps:
        todo[user].put(step)
        todo[user].join()
    for own in todo.values():
        own.put(None)
    for thread in threads:
        thread.join()


def in_a_task_each(steps: list[Step]) -> None:
    async def one(own: asyncio.Queue[Any]) -> None:
        while (step := await own.get()) is not None:
            step()
            own.task_done()

    async def main() -> None:
        todo: dict[str, asyncio.Queue[Any]] = {user: asyncio.Queue() for user, _ in steps}
        tasks = [asyncio.create_task(one(own)) for own in todo.values()]
        for user, step in steps:
            todo[user].put_nowait(step)
            await todo[user].join()
        for own in todo.values():
            own.put_nowait(None)
        await asyncio.gather(*tasks)

    asyncio.run(main())


def in_one_task(steps: list[Step]) -> None:
    async def main() -> None:
        for _, step in steps:
            await asyncio.sleep(0)
            step()

    asyncio.run(main())


def turns(steps: list[Step], own: str) -> Generator[None]:
    for user, step in steps:
        if user == own:
            step()
            yield


def in_a_generator_each(steps: list[Step], make: Callable[..., Any] = turns) -> None:
    generators = {user: make(steps, user) for user, _ in steps}
    for user, _ in steps:
        next(generators[user])


def in_an_observed_generator_each(steps: list[Step]) -> None:
    in_a_generator_each(steps, runspan.observe(turns))


def in_observed_generators_below_one_span(steps: list[Step]) -> None:
    with runspan.span("session"):
        in_an_observed_generator_each(steps)


PLACES = [
    one_after_the_other,
    in_a_copied_context,
    in_a_span_each,
    in_one_span,
    about_a_user_each,
    as_jobs_of_a_pool,
    as_jobs_of_another_pool,
    in_a_thread_each,
    in_a_task_each,
    in_one_task,
    in_a_generator_each,
    in_an_observed_generator_each,
    in_observed_generators_below_one_span,
]
ONE_UNIT = [in_a_copied_context, in_one_span, in_observed_generators_below_one_span]
ORDERS = [
    "A.ask A.leave B.ask B.answer",
    "A.ask A.leave B.call",
    "A.ask B.ask A.answer B.answer",
    "A.ask B.ask B.answer A.answer",
    "A.ask B.ask B.leave A.answer",
    "A.ask B.ask A.leave B.answer",
    "A.ask B.call A.answer",
    "A.ask A.answer B.call",
    "A.ask B.ask A.answer A.call B.answer",
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("place", PLACES)
def test_no_call_lands_in_another_run(
    traces: Traced, client: Any, place: Callable[[list[Step]], None], order: str
) -> None:
    users = {"A": User(client), "B": User(client)}
    steps = [(name[0], getattr(users[name[0]], name[2:])) for name in order.split()]
    place(steps)
    found = landings(traces)
    assert len(found) == order.count("answer") + order.count("call")
    if place in ONE_UNIT:  # nothing tells a call outside of any run from one that answers
        found = [(answers, landed) for answers, landed in found if answers]
    assert [(answers, landed) for answers, landed in found if landed not in ("", answers)] == []


def turn(user: User, leaves: bool) -> None:
    """What a request handler does: all or the first half of a conversation."""
    user.ask()
    if not leaves:
        user.answer()
    user.leave()


@pytest.mark.parametrize("place", [p for p in PLACES if p not in (in_a_copied_context, in_a_generator_each)])
def test_who_comes_after_a_user_who_left_has_his_own_calls(
    traces: Traced, client: Any, place: Callable[[list[Step]], None]
) -> None:
    """One worker serves both, as gunicorn's sync worker or a loop on the command line."""
    place([("A", lambda: turn(User(client), True)), ("B", lambda: turn(User(client), False))])
    (landing,) = landings(traces)
    assert is_one_of_a_run(landing)


def lines_of_one_function(a: User, b: User) -> None:
    turn(a, leaves=True)
    b.call()


def lines_in_spans(a: User, b: User) -> None:
    """A's run is kept, for the next request of his."""
    with runspan.span("request of A"):
        a.ask()
    with runspan.span("request of B"):
        b.call()


def lines_about_users(a: User, b: User) -> None:
    with runspan.context(user_id="A"):
        a.ask()
    with runspan.context(user_id="B"):
        b.call()


def lines_about_sessions(a: User, b: User) -> None:
    with runspan.context(session_id="A"):
        a.ask()
    with runspan.context(session_id="B"):
        b.call()


def calls_of_one_generator_function(a: User, b: User) -> None:
    def visit(user: User, asks: bool) -> Generator[None]:
        if asks:
            user.ask()
        else:
            user.call()
        yield

    visits = [visit(a, True), visit(b, False)]
    for one in visits:
        next(one)


class Desk:
    """Hands out jobs in ways whose instructions CPython specializes once a line ran often."""

    def __init__(self, a: User, b: User) -> None:
        self.jobs = iter((a.ask, *[int] * 200, b.call))

    def __getitem__(self, _: int) -> Any:
        return next(self.jobs)()

    @property
    def one(self) -> Any:
        return next(self.jobs)()

    def each(self) -> Generator[Any]:
        for job in self.jobs:
            yield job()


def jobs_of_a_warm_generator(a: User, b: User) -> None:
    jobs = Desk(a, b).each()
    for _ in range(202):
        next(jobs)


def jobs_of_a_warm_loop(a: User, b: User) -> None:
    for _ in Desk(a, b).each():
        pass


def jobs_of_a_warm_attribute(a: User, b: User) -> None:
    desk = Desk(a, b)
    for _ in range(202):
        desk.one  # noqa: B018


def jobs_of_a_warm_subscript(a: User, b: User) -> None:
    desk = Desk(a, b)
    for _ in range(202):
        desk[0]


def jobs_that_inherit_a_span_that_is_over(a: User, b: User) -> None:
    with runspan.span("request of A"):
        a.ask()
        a.leave()
        inherited = contextvars.copy_context()
    inherited.run(b.call)


@pytest.mark.parametrize(
    "way",
    [
        lines_of_one_function,
        lines_in_spans,
        lines_about_users,
        lines_about_sessions,
        calls_of_one_generator_function,
        jobs_of_a_warm_generator,
        jobs_of_a_warm_loop,
        jobs_of_a_warm_attribute,
        jobs_of_a_warm_subscript,
        jobs_that_inherit_a_span_that_is_over,
    ],
)
def test_a_function_outside_of_any_run_is_in_none(
    traces: Traced, client: Any, way: Callable[[User, User], None]
) -> None:
    """While the run of another user waits for it."""
    way(User(client), User(client))
    assert landings(traces) == [("", "")]


def test_what_a_generator_asked_for_is_not_the_call_of_the_run_that_asked_meanwhile(
    traces: Traced, client: Any
) -> None:
    @runspan.observe
    def asked(user: User) -> Generator[Any]:
        user.ask()
        yield from user.run.required_action.submit_tool_outputs.tool_calls

    a, b = User(client), User(client)
    with runspan.span("session"):
        calls = asked(a)
        call = next(calls)
        b.ask()
        output_of(call, a.run.id)
    assert landings(traces) in ([(a.run.id, "")], [(a.run.id, a.run.id)])


def test_a_run_that_was_answered_elsewhere_waits_no_more(traces: Traced, client: Any) -> None:
    """Also for the context that saw it ask, and still holds it."""
    user = User(client)
    with runspan.span("request"):
        user.ask()
        run = user.run
        other = threading.Thread(
            target=lambda: user.submit(
                [
                    {"tool_call_id": call.id, "output": "12 °C"}
                    for call in run.required_action.submit_tool_outputs.tool_calls
                ]
            )
        )
        other.start()
        other.join()
        get_weather("Paris")
    assert landings(traces) == [("", "")]


@pytest.mark.parametrize("is_polled", [True, False])
def test_a_run_that_was_cancelled_waits_no_more(is_polled: bool, traces: Traced, client: Any) -> None:
    user = User(client)
    with runspan.span("request"):
        user.ask()
        run = user.run
        user.runs.cancel(run.id, thread_id=run.thread_id)
        if is_polled:
            assert user.runs.retrieve(run.id, thread_id=run.thread_id).status != "requires_action"
        get_weather("Paris")
    assert landings(traces) == [("", "")]


def test_a_run_that_was_seen_to_end_waits_no_more_whatever_it_speaks_of(traces: Traced) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
    run = {"id": "run_1", "status": "requires_action", "required_action": action, "model": "requires_action"}
    with odd_server() as odd, client_of("OpenAI", odd) as client:  # type: ignore[arg-type]
        odd.bodies["POST", "runs"] = [run]
        odd.bodies["GET", "runs/one"] = [{**run, "status": "expired"}]
        runs = client.beta.threads.runs
        kept = runs.create("thread_1", assistant_id="asst_1")
        runs.retrieve(kept.id, thread_id="thread_1")
        get_weather("Paris")
    assert landings(traces) == [("", "")]


# ---------------------------------------------------------------- always in its own


def at_once(user: User) -> None:
    user.ask()
    user.answer()


def in_a_helper_that_gives_the_calls(user: User) -> None:
    def ask() -> Any:
        user.ask()
        calls, run_id = user.run.required_action.submit_tool_outputs.tool_calls, user.run.id
        user.run = user.run.model_copy(update={"required_action": None})
        return calls, run_id

    calls, run_id = ask()
    user.submit([output_of(call, run_id) for call in calls])


def in_an_observed_helper(user: User) -> None:
    runspan.observe(user.ask)()
    user.answer()


def in_spans_below_one_another(user: User) -> None:
    with runspan.span("turn"):
        with runspan.span("ask"):
            user.ask()
        with runspan.span("answer"), runspan.span("dispatch"):
            user.answer()


def in_a_span_that_was_opened_since(user: User) -> None:
    user.ask()
    with runspan.span("answer"):
        user.answer()


def with_nothing_kept_but_words(user: User) -> None:
    """As frameworks do, which have types of their own."""
    with runspan.span("turn"):
        user.ask()
        run, user.run = json.loads(user.run.model_dump_json()), None
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        text = get_weather(**json.loads(call["function"]["arguments"]), answers=run["id"])
        user.runs.submit_tool_outputs_and_poll(
            run_id=run["id"],
            thread_id=run["thread_id"],
            tool_outputs=[{"tool_call_id": call["id"], "output": text}],
        )


def in_a_thread_of_a_pool(user: User) -> None:
    user.ask()
    with ThreadPoolExecutor(1) as pool:
        user.submit(pool.submit(outputs_of, user.run).result())


def in_a_job_of_a_pool(user: User) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(at_once, user).result()


def in_a_task(user: User) -> None:
    async def main() -> None:
        user.ask()
        user.submit(await asyncio.create_task(asyncio.to_thread(outputs_of, user.run)))

    asyncio.run(main())


def by_the_consumer_of_a_generator(user: User) -> None:
    def asked() -> Generator[Any]:
        user.ask()
        yield from user.run.required_action.submit_tool_outputs.tool_calls

    user.submit([output_of(call, user.run.id) for call in asked()])


def by_the_consumer_of_an_observed_generator(user: User) -> None:
    @runspan.observe
    def asked() -> Generator[Any]:
        user.ask()
        yield from user.run.required_action.submit_tool_outputs.tool_calls

    with runspan.span("turn"):
        user.submit([output_of(call, user.run.id) for call in asked()])


def in_a_handler_of_events(user: User) -> None:
    class Handler(AssistantEventHandler):
        def on_event(self, event: Any) -> None:
            if event.event == "thread.run.requires_action":
                run = event.data
                with user.runs.submit_tool_outputs_stream(
                    run_id=run.id,
                    thread_id=run.thread_id,
                    tool_outputs=outputs_of(run),
                    event_handler=Handler(),
                ) as stream:
                    stream.until_done()

    assistant = user.client.beta.assistants.create(model="gpt-4o", instructions="Help.")
    thread = user.client.beta.threads.create()
    with user.runs.stream(thread_id=thread.id, assistant_id=assistant.id, event_handler=Handler()) as stream:
        stream.until_done()


def polled_by_others_meanwhile(user: User) -> None:
    """What the app holds on to is what it got first."""
    user.ask()
    user.runs.retrieve(user.run.id, thread_id=user.run.thread_id)
    user.answer()


def after_one_that_was_given_up(user: User) -> None:
    """A loop on the command line, with and without a span around."""
    other = User(user.client)
    for one, leaves in ((other, True), (user, False)):
        one.ask()
        if leaves:
            one.leave()
        else:
            one.answer()


def after_one_that_was_given_up_in_the_same_span(user: User) -> None:
    with runspan.span("session"):
        after_one_that_was_given_up(user)


@pytest.mark.parametrize(
    "way",
    [
        at_once,
        in_a_helper_that_gives_the_calls,
        in_an_observed_helper,
        in_spans_below_one_another,
        in_a_span_that_was_opened_since,
        with_nothing_kept_but_words,
        in_a_thread_of_a_pool,
        in_a_job_of_a_pool,
        in_a_task,
        by_the_consumer_of_a_generator,
        by_the_consumer_of_an_observed_generator,
        in_a_handler_of_events,
        polled_by_others_meanwhile,
        after_one_that_was_given_up,
        after_one_that_was_given_up_in_the_same_span,
    ],
)
def test_the_unit_of_work_that_saw_the_run_ask_takes_its_call(
    traces: Traced, client: Any, way: Callable[[User], None]
) -> None:
    way(User(client))
    (landing,) = landings(traces)
    assert is_one_of_a_run(landing)


def test_observed_generators_side_by_side_take_their_own(traces: Traced, client: Any) -> None:
    users = {name: User(client) for name in "AB"}
    steps = [(name, getattr(users[name], do)) for do in ("ask", "answer") for name in "AB"]
    in_observed_generators_below_one_span(steps)
    assert [is_one_of_a_run(landing) for landing in landings(traces)] == [True, True]


def test_each_round_of_a_run_is_its_own(traces: Traced) -> None:
    with serve(ASKS_TWICE, SimulatedClock()) as server, client_of("OpenAI", server) as client:
        user = User(client)
        user.ask()
        user.answer()
        user.answer()
        assert user.run.status == "completed"
    ids = {attribute(s, "gen_ai.tool.call.id") for s in traces.tools()}
    assert len(ids - {None}) == 2
    assert [is_one_of_a_run(landing) for landing in landings(traces)] == [True, True]


def test_runs_of_one_id_on_two_threads_are_two(traces: Traced) -> None:
    """Some servers number the runs of each thread anew."""
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
    run = {"id": "run_1", "object": "thread.run", "status": "requires_action", "required_action": action}
    together = threading.Barrier(2, timeout=10)
    with odd_server() as odd, client_of("OpenAI", odd) as client:  # type: ignore[arg-type]
        odd.bodies["POST", "runs"] = odd.bodies["GET", "runs/one"] = [run]
        runs = client.beta.threads.runs

        def serve_user(thread_id: str) -> None:
            runs.create(thread_id, assistant_id="asst_1")
            together.wait()
            kept = runs.retrieve("run_1", thread_id=thread_id)
            together.wait()
            get_weather("Paris", answers=thread_id)
            together.wait()
            assert kept.status == "requires_action"

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(serve_user, ["thread_a", "thread_b"]))
    runspan.uninstrument()
    spans = traces.exporter.get_finished_spans()
    threads = {s.context.span_id: attribute(s, "gen_ai.conversation.id") for s in spans}
    tools = [s for s in spans if attribute(s, "answers") is not None]
    assert {attribute(s, "answers") for s in tools} == {"thread_a", "thread_b"}
    assert all(s.parent and threads[s.parent.span_id] == attribute(s, "answers") for s in tools)
