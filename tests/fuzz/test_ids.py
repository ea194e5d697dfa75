"""Servers that misuse ids: repeated, left out, made anew for each event, others in a page than in the stream, no texts at all.

What came in a run's own stream or page belongs to that run; two things stay two things, one thing stays one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.words import A
from tests.fuzz.seeds import Told
from tests.fuzz.telling import Told2Spans, operation

RUN, THREAD = "run_1", "thread_1"
RUNS = f"/threads/{THREAD}/runs"


class Deed(NamedTuple):
    """What the run did: said a text, ran code, or asked for a function of the app."""

    kind: str
    words: str
    answer: str = ""


words = st.sampled_from(["yes", "no", "ok"])
deeds = st.lists(
    st.one_of(
        st.builds(Deed, st.just("say"), words),
        st.builds(Deed, st.just("code"), words, words),
        st.builds(Deed, st.just("ask"), words, words),
    ),
    min_size=1,
    max_size=5,
)

# The id of the `n`-th thing of a kind; `fresh()` is another one each time. `page`: asked for by a page, not told by an event.
Ids = Callable[[str, int, Callable[[], str], bool], Any]
IDS: dict[str, Ids] = {
    "honest": lambda kind, n, fresh, page: f"{kind}_{n}",
    "repeated": lambda kind, n, fresh, page: kind,
    "repeated in pairs": lambda kind, n, fresh, page: f"{kind}_{n // 2}",
    "one for all": lambda kind, n, fresh, page: "id",
    "none": lambda kind, n, fresh, page: None,
    "empty": lambda kind, n, fresh, page: "",
    "number": lambda kind, n, fresh, page: n,
    "no id at all": lambda kind, n, fresh, page: {"n": n},
    "other in pages": lambda kind, n, fresh, page: f"{kind}_{n}_{page}",
    "none in pages": lambda kind, n, fresh, page: None if page else f"{kind}_{n}",
    "none in streams": lambda kind, n, fresh, page: f"{kind}_{n}" if page else None,
    "made anew each time": lambda kind, n, fresh, page: fresh(),
}
WRITERS: dict[str, Callable[[bool, Callable[[], str]], Any]] = {
    "honest": lambda page, fresh: RUN,
    "none in streams": lambda page, fresh: RUN if page else None,
    "foreign in streams": lambda page, fresh: RUN if page else fresh(),
    "none in pages": lambda page, fresh: None if page else RUN,
    "foreign in pages": lambda page, fresh: fresh() if page else RUN,
    "none": lambda page, fresh: None,
    "number": lambda page, fresh: 5,
}
ids = st.sampled_from(sorted(IDS))
writers = st.sampled_from(sorted(WRITERS))


class Server:
    """Tells what the run did, with ids of its own fashion for steps, messages and calls."""

    def __init__(self, plan: list[Deed], step: str, message: str, call: str, writer: str) -> None:
        self.plan = plan
        self.fashion = {"step": IDS[step], "msg": IDS[message], "call": IDS[call]}
        self.writer = WRITERS[writer]
        self.numbers = count()
        self.stream_number = 0

    def fresh(self) -> str:
        return f"id_{next(self.numbers)}"

    def id(self, kind: str, n: int, *, page: bool = False) -> Any:
        return self.fashion[kind](kind, n, self.fresh, page)

    def run(self, status: str, **more: Any) -> dict[str, Any]:
        return {
            "id": RUN,
            "thread_id": THREAD,
            "status": status,
            "created_at": A,
            "assistant_id": "a",
            **more,
        }

    def call(self, n: int, *, page: bool, with_answer: bool = True) -> dict[str, Any]:
        deed, id_ = self.plan[n], self.id("call", n, page=page)
        if deed.kind == "code":
            outputs = [{"type": "logs", "logs": deed.answer}] if with_answer else []
            return {
                "id": id_,
                "type": "code_interpreter",
                "code_interpreter": {"input": deed.words, "outputs": outputs},
            }
        function = {"name": "f", "arguments": json.dumps({"q": deed.words}), "output": None}
        if with_answer:
            function["output"] = deed.answer
        return {"id": id_, "type": "function", "function": function}

    def step(self, n: int, status: str, *, page: bool = False) -> dict[str, Any]:
        is_done = status == "completed"
        kind = "message_creation" if self.plan[n].kind == "say" else "tool_calls"
        details: dict[str, Any] = {"type": kind}
        if kind == "message_creation":
            details[kind] = {"message_id": self.id("msg", n, page=page)}
        else:
            details[kind] = [self.call(n, page=page)] if is_done else []
        return {
            "id": self.id("step", n, page=page),
            "run_id": self.writer(page, self.fresh),
            "thread_id": THREAD,
            "type": kind,
            "status": status,
            "step_details": details,
            "created_at": A + n,
            "completed_at": A + n if is_done else None,
        }

    def message(self, n: int, status: str, *, page: bool = False) -> dict[str, Any]:
        text = {"type": "text", "text": {"value": self.plan[n].words, "annotations": []}}
        return {
            "id": self.id("msg", n, page=page),
            "run_id": self.writer(page, self.fresh),
            "thread_id": THREAD,
            "role": "assistant",
            "status": status,
            "created_at": A + n,
            "content": [text] if status == "completed" else [],
        }

    # ------------------------------------------------------------ streams

    def events(self) -> Iterator[tuple[str, Any]]:
        """A stream ends where the app is asked for something; another one begins with its answer."""
        yield "thread.run.created", self.run("queued")
        yield "thread.run.in_progress", self.run("in_progress")
        for n, deed in enumerate(self.plan):
            yield "thread.run.step.created", self.step(n, "in_progress")
            if deed.kind == "say":
                yield "thread.message.created", self.message(n, "in_progress")
                yield "thread.message.completed", self.message(n, "completed")
            elif deed.kind == "ask":
                asked = self.call(n, page=False, with_answer=False)
                action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [asked]}}
                yield "thread.run.requires_action", self.run("requires_action", required_action=action)
                yield "", (asked["id"], deed.answer)
                yield "thread.run.queued", self.run("queued")
                yield "thread.run.in_progress", self.run("in_progress")
            yield "thread.run.step.completed", self.step(n, "completed")
        yield "thread.run.completed", self.run("completed", completed_at=A + 99)
        yield "", None

    def streamed(self) -> Iterator[Told]:
        path, body = RUNS, {"assistant_id": "a", "stream": True}
        index = 0
        for name, data in self.events():
            yield Told("post", path, {}, body, data if name else None, index, name)
            if not name and data is not None:
                index += 1
                path = f"{RUNS}/{RUN}/submit_tool_outputs"
                body = {"tool_outputs": [{"tool_call_id": data[0], "output": data[1]}], "stream": True}

    # ------------------------------------------------------------ polls and pages

    def polled(self) -> Iterator[Told]:
        yield Told("post", RUNS, {}, {"assistant_id": "a"}, self.run("queued"))
        path = f"{RUNS}/{RUN}"
        for n, deed in enumerate(self.plan):
            yield Told("get", path, {}, None, self.run("in_progress"))
            if deed.kind == "ask":
                asked = self.call(n, page=False, with_answer=False)
                action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [asked]}}
                for _ in range(2):  # some apps look twice
                    yield Told("get", path, {}, None, self.run("requires_action", required_action=action))
                outputs = [{"tool_call_id": asked["id"], "output": deed.answer}]
                body = {"tool_outputs": outputs}
                yield Told("post", f"{path}/submit_tool_outputs", {}, body, self.run("queued"))
        yield Told("get", path, {}, None, self.run("completed", completed_at=A + 99))

    def steps_page(self) -> Told:
        rows = [self.step(n, "completed", page=True) for n in range(len(self.plan))]
        return Told("get", f"{RUNS}/{RUN}/steps", {"order": "asc"}, None, {"data": rows, "has_more": False})

    def messages_page(self, **query: str) -> Told:
        said = [n for n, deed in enumerate(self.plan) if deed.kind == "say"]
        rows = [self.message(n, "completed", page=True) for n in said]
        page = {"data": rows, "has_more": False}
        return Told("get", f"/threads/{THREAD}/messages", {"order": "asc", **query}, None, page)


def traced(told: list[Told]) -> tuple[list[tuple[str, str]], list[str]]:
    """Tools with what was asked and answered, and the texts put out; each in their order."""
    spans = Told2Spans()
    spans.tell(told)
    tools = [s for s in spans.spans.ended if operation(s) == "execute_tool"]
    (generation,) = [s for s in spans.spans.ended if operation(s) == "chat"]
    attributes: Any = generation.attributes
    parts = [p for m in json.loads(attributes.get("gen_ai.output.messages", "[]")) for p in m["parts"]]
    return (
        [(_argument(s), _result(s)) for s in tools],
        [p["content"] for p in parts if p["type"] == "text"],
    )


def _argument(span: Any) -> str:
    said = span.attributes["gen_ai.tool.call.arguments"]
    return str(json.loads(said)["q"]) if said.startswith("{") else str(said)


def _result(span: Any) -> str:
    said = span.attributes.get("gen_ai.tool.call.result", "")
    return str(json.loads(said)[0]["logs"]) if said.startswith("[") else str(said)


def truth(plan: list[Deed]) -> tuple[list[tuple[str, str]], list[str]]:
    calls = [(deed.words, deed.answer) for deed in plan if deed.kind != "say"]
    return calls, [deed.words for deed in plan if deed.kind == "say"]


def check(plan: list[Deed], told: list[Told]) -> None:
    tools, texts = traced(told)
    expected_tools, expected_texts = truth(plan)
    assert texts == expected_texts
    assert sorted(tools) == sorted(expected_tools)


@given(deeds, ids, ids, ids, writers)
@example([Deed("ask", "ok", "yes"), Deed("ask", "ok", "yes")], "honest", "honest", "repeated", "honest")
@example([Deed("say", "ok"), Deed("say", "ok")], "repeated", "repeated", "honest", "none")
def test_a_stream_tells_each_thing_once(
    plan: list[Deed], step: str, message: str, call: str, writer: str
) -> None:
    check(plan, list(Server(plan, step, message, call, writer).streamed()))


@given(deeds, ids, ids, ids, writers)
@example([Deed("code", "ok", "ok")] * 2, "repeated", "repeated", "repeated", "none")
def test_a_page_that_tells_a_stream_s_things_again_adds_none(
    plan: list[Deed], step: str, message: str, call: str, writer: str
) -> None:
    server = Server(plan, step, message, call, writer)
    check(plan, [*server.streamed(), server.messages_page(), server.steps_page(), server.messages_page()])


@given(deeds, ids, ids, ids, writers)
def test_pages_of_a_run_tell_each_thing_once(
    plan: list[Deed], step: str, message: str, call: str, writer: str
) -> None:
    server = Server(plan, step, message, call, writer)
    own = server.messages_page(run_id=RUN)
    check(plan, [*server.polled(), server.steps_page(), own])


@given(deeds, ids, ids, st.sampled_from(["honest", "none", "number"]), st.booleans())
def test_answers_behind_the_question_are_the_run_s_where_no_writer_is_named(
    plan: list[Deed], message: str, step: str, writer: str, is_ascending: bool
) -> None:
    """The app reads the whole thread; where the writer is another, the steps must name the messages."""
    if writer == "number":
        step, message = "honest", "honest"
    server = Server(plan, step, message, "honest", writer)
    question = {"id": "q", "role": "user", "created_at": A - 1, "content": "question", "run_id": None}
    asked = Told("post", f"/threads/{THREAD}/messages", {}, {"role": "user", "content": "question"}, question)
    page = server.messages_page()
    rows = [question, *page.answer["data"]]
    page.answer["data"] = rows if is_ascending else rows[::-1]
    check(plan, [asked, *server.polled(), page, server.steps_page()])


STABLE = sorted(set(IDS) - {"made anew each time"})


@given(deeds, st.sampled_from(STABLE), st.sampled_from(STABLE), st.sampled_from(STABLE))
def test_a_page_read_twice_is_one(plan: list[Deed], step: str, message: str, call: str) -> None:
    server = Server(plan, step, message, call, "honest")
    own = server.messages_page(run_id=RUN)
    check(plan, [*server.polled(), server.steps_page(), own, server.steps_page(), own])
