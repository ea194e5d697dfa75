"""What each endpoint's answer tells, as whole observations."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runspan.apis.api import Exchange
from runspan.apis.assistants import API, statuses
from runspan.apis.assistants.events import complete
from runspan.apis.assistants.routes import match
from runspan.core.model import (
    Agent,
    Listing,
    Message,
    Observation,
    Outcome,
    Part,
    Phase,
    Run,
    RunStep,
    Source,
    ToolCall,
)
from tests.support.stream_events import read as read_event

STORES = {"tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}}}
OF_THREAD = {"conversation_id": "t"}
OF_RUN = {"conversation_id": "t", "run_id": "r"}
WIRE_THREAD = {"thread_id": "t"}
OF_WIRE = {**WIRE_THREAD, "run_id": "r"}
ASSISTANT = {"id": "a", "name": "Tutor", "model": "gpt-4o"}
TUTOR = Agent("a", "Tutor", None, "gpt-4o")
RUN = {"id": "r", "thread_id": "t", "status": "queued", "created_at": 100}
QUEUED = Run("r", "t", "queued", Phase.QUEUED, created_at=100)
SAID = {"id": "m", "role": "user", "created_at": 100, "content": [{"type": "text", "text": {"value": "hi"}}]}
HI = Message("m", "user", (Part("text", "hi"),), created_at=100)
SENT = Message("m", "user", (Part("text", "hi"),), created_at=100, sent_ns=5)
NEW = {"messages": [{"role": "user", "content": "hi"}], **STORES}
NEW_HI = Message("t/0", "user", (Part("text", "hi"),), created_at=100, sent_ns=5)
STEP = {"id": "s", "type": "tool_calls", "status": "completed"}
DONE = RunStep("s", "tool_calls", "completed", Outcome.COMPLETED)
PAGE = {"data": [{"id": "x"}, SAID], "has_more": False}
NOTHING: dict[str, Any] = {}

# (method, path, query, body, answer) -> what is told beside the times
TOLD: list[tuple[str, str, Any, Any, Any, dict[str, Any]]] = [
    ("post", "/assistants", NOTHING, NOTHING, ASSISTANT, {"agents": (TUTOR,)}),
    ("get", "/assistants/a", NOTHING, NOTHING, ASSISTANT, {"agents": (TUTOR,)}),
    ("get", "/assistants", NOTHING, NOTHING, {"data": [{}, ASSISTANT]}, {"agents": (TUTOR,)}),
    ("delete", "/assistants/a", NOTHING, NOTHING, {"id": "a", "deleted": True}, NOTHING),
    (
        "get",
        "/threads/t",
        NOTHING,
        NOTHING,
        {"id": "t", **STORES},
        {**OF_THREAD, "data_source_ids": ("vs_1",)},
    ),
    (
        *("post", "/threads", NOTHING, NEW, {"id": "t", "created_at": 100, **STORES}),
        {**OF_THREAD, "created_conversation": True, "messages": (NEW_HI,), "data_source_ids": ("vs_1",)},
    ),
    ("post", "/threads/t/messages", NOTHING, NOTHING, SAID, {**OF_THREAD, "messages": (SENT,)}),
    ("get", "/threads/t/messages/m", NOTHING, NOTHING, SAID, {**OF_THREAD, "messages": (HI,)}),
    ("post", "/threads/t/messages/m", NOTHING, NOTHING, SAID, {**OF_THREAD, "messages": (HI,)}),
    ("delete", "/threads/t/messages/m", NOTHING, NOTHING, NOTHING, {**OF_THREAD, "deleted_message_id": "m"}),
    (
        *("get", "/threads/t/messages", {"run_id": "r", "after": "y", "before": "w"}, NOTHING, PAGE),
        {
            **OF_THREAD,
            "messages": (HI, Message("x", "user")),
            "listing": Listing(from_start=False, to_end=False, run_id="r", follows="w", precedes="y"),
        },
    ),
    (
        *("get", "/threads/t/messages", {"order": "asc", "after": "w", "before": "y"}, NOTHING, PAGE),
        {
            **OF_THREAD,
            "messages": (Message("x", "user"), HI),
            "listing": Listing(from_start=False, to_end=False, follows="w", precedes="y"),
        },
    ),
    ("post", "/threads/t/runs", NOTHING, {"thread": NEW}, RUN, {**OF_THREAD, "runs": (QUEUED,)}),
    (
        *("post", "/threads/runs", NOTHING, {"thread": NEW, **NOTHING}, RUN),
        {
            **OF_THREAD,
            "runs": (QUEUED,),
            "messages": (NEW_HI,),
            "created_conversation": True,
            "data_source_ids": ("vs_1",),
        },
    ),
    ("post", "/threads/t/runs", NOTHING, NOTHING, {"id": "r"}, {**OF_THREAD, "runs": (Run("r", "t"),)}),
    ("post", "/threads/runs", NOTHING, NOTHING, NOTHING, NOTHING),
    (
        "get",
        "/threads/t/runs",
        NOTHING,
        NOTHING,
        {"data": [{}, {"id": "r"}]},
        {**OF_THREAD, "runs": (Run("r", "t"),)},
    ),
    ("get", "/threads/t/runs/r", NOTHING, NOTHING, RUN, {**OF_RUN, "runs": (QUEUED,), "polls": 3}),
    (
        "post",
        "/threads/t/runs/r/cancel",
        NOTHING,
        NOTHING,
        {"id": "r"},
        {**OF_RUN, "runs": (Run("r", "t"),), "polls": 3},
    ),
    (
        *("post", "/threads/t/runs/r/submit_tool_outputs", NOTHING),
        {"tool_outputs": [{"tool_call_id": "c", "output": "22 C"}]},
        {"id": "r"},
        {**OF_RUN, "runs": (Run("r", "t"),), "outputs": (ToolCall("c", output="22 C"),)},
    ),
    ("get", "/threads/t/runs/r/steps/s", NOTHING, NOTHING, STEP, {**OF_RUN, "steps": (DONE,)}),
    (
        *("get", "/threads/t/runs/r/steps", {"order": "asc"}, NOTHING),
        {"data": [STEP, {}, {"id": "z"}], "has_more": False},
        {**OF_RUN, "steps": (DONE, RunStep("z", "unknown")), "all_steps": True},
    ),
]


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "answer", "told"), TOLD, ids=lambda v: str(v)[:30]
)
def test_what_each_answer_tells(
    method: str, path: str, query: Any, body: Any, answer: Any, told: dict[str, Any]
) -> None:
    matched = match(method, path)
    assert matched is not None
    for source in (Source.CALL, Source.FETCH):
        exchange = Exchange(matched, 5, 9, body, query, answer, source, polls=3)
        assert matched.route.read(exchange) == Observation(request_ns=5, response_ns=9, source=source, **told)


def event(name: str, **told: Any) -> Observation:
    return Observation(request_ns=7, response_ns=7, source=Source.STREAM, event=name, **told)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        (
            "thread.created",
            {"id": "t", **STORES},
            {**OF_THREAD, "created_conversation": True, "data_source_ids": ("vs_1",)},
        ),
        ("thread.run.queued", RUN, {**OF_RUN, "runs": (QUEUED,)}),
        ("thread.run.queued", {"thread_id": "t", "run_id": "x"}, OF_THREAD),
        (
            *("thread.message.completed", {**SAID, **WIRE_THREAD}),
            {**OF_THREAD, "messages": (replace(HI, outcome=Outcome.COMPLETED),)},
        ),
        ("thread.message.created", {**SAID, **WIRE_THREAD}, {**OF_THREAD, "messages": (HI,)}),
        (
            *("thread.message.completed", {**SAID, **WIRE_THREAD, "status": "in_progress"}),
            {**OF_THREAD, "messages": (replace(HI, outcome=Outcome.COMPLETED),)},
        ),
        (
            *("thread.message.completed", {**SAID, **WIRE_THREAD, "status": "incomplete"}),
            {**OF_THREAD, "messages": (replace(HI, outcome=Outcome.INCOMPLETE),)},
        ),
        *(
            (
                f"thread.run.{name}",
                {**RUN, "status": status},
                {**OF_RUN, "runs": (run,), "open_status": open_},
            )
            for name, status, open_ in (
                ("created", "completed", "queued"),
                ("in_progress", "expired", "in_progress"),
                ("requires_action", "completed", "requires_action"),
                ("completed", "incomplete", None),
                ("of_later_days", "completed", None),
                ("created", "in_progress", None),
            )
            for phase, outcome in (statuses.RUN[status],)
            for run in (replace(QUEUED, status=status, phase=phase, outcome=outcome),)
        ),
        ("thread.message.completed", OF_WIRE, OF_RUN),
        (
            *("thread.message.completed", {**OF_WIRE, "content": "hi"}),
            {
                **OF_RUN,
                "messages": (Message("", "assistant", HI.parts, None, "r", outcome=Outcome.COMPLETED),),
            },
        ),
        ("thread.run.step.in_progress", OF_WIRE, OF_RUN),
        ("thread.later", {**RUN, **OF_WIRE}, OF_RUN),
    ],
)
def test_what_each_event_tells(name: str, data: dict[str, Any], told: dict[str, Any]) -> None:
    assert read_event(API, name, data, 7) == event(name, **told)


def test_a_streamed_thread_begins_with_what_its_request_held() -> None:
    matched = match("post", "/threads/runs")
    assert matched is not None
    exchange = Exchange(matched, 5, 7, body={"thread": NEW}, response={"id": "t", "created_at": 100})
    created = read_event(API, "thread.created", {"id": "t"}, 7)
    told = {**OF_THREAD, "created_conversation": True, "messages": (NEW_HI,)}
    assert complete(exchange, created) == event("thread.created", **told)
