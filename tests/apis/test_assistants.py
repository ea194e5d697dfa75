"""Calls and events -> observations."""

from __future__ import annotations

from typing import Any

import pytest

from runspan.apis.api import Exchange
from runspan.apis.assistants import API
from runspan.apis.assistants.events import complete, texts_of
from runspan.apis.assistants.routes import match
from runspan.core.model import (
    Agent,
    Listing,
    Message,
    Observation,
    Part,
    Phase,
    Run,
    RunStep,
    Source,
    ToolCall,
)
from tests.support.stream_events import read as read_event

RUN = {"id": "run_1", "thread_id": "t", "status": "queued", "created_at": 100}
BAD_ANSWERS: tuple[Any, ...] = (
    {},
    {"id": None},
    {"id": [5], "data": 5},
    {"data": None},
    {"data": [None, 5, {}, {"id": None}]},
)


def read(method: str, path: str, response: Any = None, body: Any = None, **query: Any) -> Observation:
    matched = match(method, path)
    assert matched is not None
    return matched.route.read(Exchange(matched, 5, 9, body or {}, query, response or {}, polls=3))


@pytest.mark.parametrize("bad", BAD_ANSWERS, ids=str)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(
            ("post", p)
            for p in ("/assistants", "/threads", "/threads/runs", "/threads/t/messages", "/threads/t/runs")
        ),
        *(
            ("post", p)
            for p in (
                "/threads/t/runs/r/submit_tool_outputs",
                "/threads/t/runs/r/cancel",
                "/threads/t/messages/m",
            )
        ),
        *(
            ("get", p)
            for p in (
                "/assistants",
                "/assistants/a",
                "/threads/t",
                "/threads/t/messages",
                "/threads/t/messages/m",
            )
        ),
        *(
            ("get", p)
            for p in (
                "/threads/t/runs",
                "/threads/t/runs/r",
                "/threads/t/runs/r/steps",
                "/threads/t/runs/r/steps/s",
            )
        ),
        *(("delete", p) for p in ("/assistants/a", "/threads/t", "/threads/t/messages/m")),
    ],
)
def test_answers_of_any_shape_read_as_what_they_hold(method: str, path: str, bad: Any) -> None:
    for body in ({}, {"thread": 5, "messages": {}, "tool_outputs": [None, 5]}):
        seen = read(method, path, bad, body)
        assert (seen.request_ns, seen.response_ns) == (5, 9)
        assert (seen.runs, seen.steps, seen.agents) == ((), (), ())


def test_a_poll_counts_and_other_reads_do_not() -> None:
    poll = read("get", "/threads/t/runs/run_1", {"id": "run_1", "status": "queued"})
    assert (poll.runs, poll.polls, poll.run_id) == ((Run("run_1", "t", "queued", Phase.QUEUED),), 3, "run_1")
    assert read("get", "/threads/t/runs", {"data": [RUN, RUN]}).polls == 0


def test_a_run_is_of_the_thread_that_its_path_names() -> None:
    for method, path in (("post", "/threads/t/runs"), ("get", "/threads/t/runs/run_1")):
        assert read(method, path, {"id": "run_1"}).runs == (Run("run_1", "t"),)


def test_outputs_of_a_submit() -> None:
    body = {
        "tool_outputs": [{"tool_call_id": "c1", "output": "22 C"}, {"tool_call_id": "c2", "output": None}, {}]
    }
    seen = read("post", "/threads/t/runs/run_1/submit_tool_outputs", RUN, body)
    assert seen.outputs == (ToolCall("c1", output="22 C"), ToolCall("c2", output=""), ToolCall("", output=""))
    assert [r.status for r in seen.runs] == ["queued"]


def message(id_: str, at: int) -> dict[str, Any]:
    return {
        "id": id_,
        "role": "user",
        "created_at": at,
        "content": [{"type": "text", "text": {"value": id_}}],
    }


@pytest.mark.parametrize(
    ("query", "has_more", "expected"),
    [
        ({}, False, (["a", "b"], True, True)),
        ({}, True, (["a", "b"], False, True)),
        ({}, None, (["a", "b"], True, True)),
        *(({"limit": limit}, None, (["a", "b"], False, True)) for limit in (2, "2", 2.0)),
        ({"limit": 1}, None, (["a", "b"], True, True)),  # it knows no limit
        *(
            ({"limit": limit}, None, (["a", "b"], True, True))
            for limit in (3, "3", None, [], "²", "9" * 5000)
        ),
        *(
            ({"limit": limit}, None, (["a", "b"], True, True))
            for limit in (float("nan"), float("inf"), 10**5000)
        ),
        ({"order": "asc"}, False, (["a", "b"], True, True)),
        ({"order": "asc"}, True, (["a", "b"], True, False)),
        ({"order": "asc", "after": "x"}, False, (["a", "b"], False, True)),
        ({"order": "asc", "after": "x"}, True, (["a", "b"], False, False)),
        ({"after": "x"}, False, (["a", "b"], True, False)),
        ({"after": "x"}, True, (["a", "b"], False, False)),
        ({"run_id": "run_1"}, False, (["a", "b"], True, True)),
        ({"before": "x"}, False, (["a", "b"], False, False)),
        ({"order": "asc", "before": "x"}, False, (["a", "b"], False, False)),
    ],
)
def test_what_a_page_of_messages_covers(
    query: dict[str, Any], has_more: bool | None, expected: tuple[list[str], bool, bool]
) -> None:
    data = [message("a", 1), message("b", 2)]
    page = {"data": data if query.get("order") == "asc" else data[::-1], "has_more": has_more}
    seen = read("get", "/threads/t/messages", page, **query)
    ids, from_start, to_end = expected
    assert [m.id for m in seen.messages] == ids
    assert isinstance(seen.listing, Listing)
    assert (seen.listing.from_start, seen.listing.to_end, seen.listing.run_id) == (
        from_start,
        to_end,
        query.get("run_id"),
    )


def test_a_page_of_steps_is_whole_only_when_it_is_all_of_them() -> None:
    data = [{"id": "s2", "type": "tool_calls"}, {"id": "s1", "type": "tool_calls"}]
    seen = read("get", "/threads/t/runs/r/steps", {"data": data, "has_more": False})
    assert ([s.id for s in seen.steps], seen.all_steps, seen.run_id) == (["s1", "s2"], True, "r")
    for query in ({"after": "x"}, {"before": "x"}, {"limit": 2}):
        assert not read("get", "/threads/t/runs/r/steps", {"data": data}, **query).all_steps


def test_messages_sent_with_a_thread_are_known_before_they_have_ids() -> None:
    body = {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "user", "content": [{"type": "text", "text": "yo"}]},
        ]
    }
    sent = tuple(
        Message(f"t/{i}", "user", (Part("text", text),), created_at=100, sent_ns=5)
        for i, text in enumerate(("hi", "yo"))
    )
    seen = read("post", "/threads", {"id": "t", "created_at": 100}, body)
    assert (seen.conversation_id, seen.created_conversation, seen.messages) == ("t", True, sent)
    seen = read("post", "/threads/runs", RUN, {"thread": body})
    assert (seen.conversation_id, seen.created_conversation, seen.messages) == ("t", True, sent)
    created = read_event(API, "thread.created", {"id": "t"}, 7)
    exchange = Exchange(match("post", "/threads/runs"), 5, 7, {"thread": body}, response={"created_at": 100})  # type: ignore[arg-type]
    assert complete(exchange, created).messages == sent


def test_deleted_messages_and_assistants() -> None:
    assert read("delete", "/threads/t/messages/m", {"id": "m", "deleted": True}).deleted_message_id == "m"
    assert read("get", "/assistants/a", {"id": "a", "name": "Tutor"}).agents == (Agent("a", "Tutor"),)


# ---------------------------------------------------------------- events


def test_events_carry_their_arrival_and_their_data() -> None:
    run = read_event(API, "thread.run.completed", {**RUN, "status": "incomplete"}, 7)
    assert (run.request_ns, run.response_ns, run.source, run.event) == (
        7,
        7,
        Source.STREAM,
        "thread.run.completed",
    )
    assert (run.runs[0].status, run.run_id, run.conversation_id) == ("incomplete", "run_1", "t")
    written = read_event(
        API, "thread.message.completed", {**message("m", 1), "thread_id": "t", "run_id": "run_1"}, 7
    )
    assert ([m.id for m in written.messages], written.run_id, written.listing) == (["m"], "run_1", None)


@pytest.mark.parametrize(
    ("name", "seen_ns", "done_ns"),
    [
        ("created", 7, None),
        ("in_progress", 7, None),
        *((n, None, 7) for n in ("completed", "failed", "cancelled", "expired")),
        ("meditating", None, None),
    ],
)
def test_events_of_steps_tell_when_they_began_and_ended(
    name: str, seen_ns: int | None, done_ns: int | None
) -> None:
    seen = read_event(
        API, f"thread.run.step.{name}", {"id": "s", "type": "tool_calls", "run_id": "r", "thread_id": "t"}, 7
    )
    assert seen.steps == (RunStep("s", "tool_calls", seen_ns=seen_ns, done_ns=done_ns),)
    assert (seen.run_id, seen.conversation_id) == ("r", "t")


@pytest.mark.parametrize(
    "name", ["", "error", "done", "ping", "thread.updated", "thread.run.meditating", "thread.message.odd"]
)
@pytest.mark.parametrize("data", [{}, {"id": 5}, {"id": "x", "thread_id": None}], ids=str)
def test_unknown_events_never_raise(name: str, data: dict[str, Any]) -> None:
    assert read_event(API, name, data, 7).response_ns == 7


def test_a_delta_tells_the_text_that_it_adds_to_a_message() -> None:
    def texts(*content: object, id_: object = "m") -> list[tuple[str, str]]:
        return list(texts_of({"id": id_, "delta": {"content": list(content)}}))

    assert texts({"index": 0, "text": {"value": "Hel"}}, {"index": 1, "text": {"value": "lo"}}) == [
        ("m", "Hel"),
        ("m", "lo"),
    ]
    odd: tuple[object, ...] = ({}, None, 5, {"text": None}, {"text": {"value": None}}, {"text": {"value": 5}})
    assert texts(*odd) == []
    assert texts({"text": {"value": "x"}}, id_=None) == [("", "x")]
    assert texts({"text": {"value": "x"}}, id_=5) == [("5", "x")]
    assert texts({"index": 0, "type": "refusal", "refusal": "No"}, {"text": {"value": ""}}) == [("m", "No")]
    for data in ({}, {"id": "m"}, {"id": "m", "delta": None}, {"id": "m", "delta": {"content": 5}}):
        assert list(texts_of(data)) == []
