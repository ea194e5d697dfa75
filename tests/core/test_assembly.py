"""RunState and ThreadLog -> the tree of spans."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.assembly import failed_request, without_calls
from runspan.core.conversation import Conversation
from runspan.core.model import (
    Agent,
    ApiError,
    Message,
    Outcome,
    Part,
    Run,
    RunFacts,
    RunRequest,
    SpanData,
    SpanEvent,
    SpanKind,
    ToolFacts,
)
from runspan.core.redact import Texts
from tests.core.trees import ASSISTANT, answer, ended, facts, tree
from tests.core.words import SERVER, A, S, after, begun, call, event, poll, submit


def test_a_run_becomes_a_run_span_with_one_generation_below() -> None:
    span = tree(ended("completed", agent_id="asst_1"))
    (generation,) = span.children
    assert (span.kind, span.operation, span.start_ns, span.end_ns) == (SpanKind.RUN, "invoke_agent", 0, 5 * S)
    assert (generation.kind, generation.operation) == (SpanKind.GENERATION, "chat")
    assert (generation.start_ns, generation.end_ns) == (2 * S, 5 * S)
    assert generation.facts is span.facts
    assert facts(span).agent == ASSISTANT
    assert (facts(span).queue_s, facts(span).active_s, facts(span).tool_wait_s) == (2.0, 3.0, 0.0)
    assert [m.id for m in facts(span).inputs] == ["m1"]
    assert [m.id for m in facts(span).outputs] == ["m2"]
    assert (facts(span).detection_lag_s, facts(span).end_uncertainty_s) == (0.0, 0.0)


def test_a_call_that_has_a_span_of_the_apps_own_makes_none_here() -> None:
    state = after(
        event(2 * S, "requires_action", required=(call("c1"), call("c2"))),
        submit(5 * S, 6 * S, c1="22 C", c2="rain"),
        event(9 * S, "completed"),
    )
    span = tree(state)
    asked: list[str] = []

    def is_taken(call_id: str) -> bool:
        asked.append(call_id)
        return call_id == "c1"

    generation, first, second = span.children
    assert without_calls(span, is_taken) == replace(span, children=(generation, second), elsewhere=(first,))
    assert asked == ["c1", "c2"]
    raised = {"c1": ApiError("ValueError", "no"), "c2": ApiError("KeyError")}
    told = without_calls(span, is_taken, raised)
    assert (told.children, told.elsewhere) == ((generation, second), (replace(first, error=raised["c1"]),))
    failed = replace(first, error=ApiError("server_error"))  # of its step
    assert without_calls(replace(span, children=(failed,)), is_taken).elsewhere == (failed,)


ENDINGS: dict[str, tuple[dict[str, Any], ApiError | None, str]] = {
    "completed": ({}, None, "stop"),
    "failed": (
        {"error": ApiError("rate_limit_exceeded", "slow down")},
        ApiError("rate_limit_exceeded", "slow down"),
        "error",
    ),
    "failed without a word": ({}, ApiError("failed"), "error"),
    "expired": ({}, ApiError("expired"), "error"),
    "expired too late": ({"error": ApiError("x", "too late")}, ApiError("expired", "too late"), "error"),
    "cancelled": ({}, None, "error"),
    "incomplete without a word": ({}, None, "error"),
    "incomplete max_tokens": ({"incomplete_reason": "max_tokens"}, None, "length"),
    "incomplete max_completion_tokens": ({"incomplete_reason": "max_completion_tokens"}, None, "length"),
    "incomplete max_prompt_tokens": ({"incomplete_reason": "max_prompt_tokens"}, None, "length"),
    "incomplete content_filter": ({"incomplete_reason": "content_filter"}, None, "content_filter"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_each_ending_has_its_error_and_finish_reason(name: str) -> None:
    fields, error, finish_reason = ENDINGS[name]
    span = tree(ended(name.split()[0], **fields))
    assert (span.error, span.children[0].error) == (error, error)
    assert facts(span).finish_reason == finish_reason
    assert facts(span).run is not None
    assert facts(span).run.status == name.split()[0]  # type: ignore[union-attr]


@pytest.mark.parametrize("texts", [Texts(), Texts(captures=False)], ids=["content", "no content"])
@pytest.mark.parametrize(
    ("message", "status", "finish_reason"),
    [
        (
            answer("no", finish_reason="content_filter", outcome=Outcome.INCOMPLETE),
            "completed",
            "content_filter",
        ),
        (answer("no", finish_reason="length", outcome=Outcome.INCOMPLETE), "incomplete", "length"),
        (answer("no", finish_reason="length", outcome=Outcome.INCOMPLETE), "completed", "stop"),
        (replace(answer(""), parts=(Part("refusal", "I will not."),)), "completed", "content_filter"),
        (answer("yes"), "incomplete", "error"),
        (answer("yes"), "completed", "stop"),
    ],
)
def test_how_its_messages_ended_is_how_the_run_finished(
    message: Message, status: str, finish_reason: str, texts: Texts
) -> None:
    assert facts(tree(ended(status), Conversation((message,)), texts)).finish_reason == finish_reason


@pytest.mark.parametrize(
    ("status", "finish_reason"), [("in_progress", "error"), ("requires_action", "tool_call")]
)
def test_a_run_whose_end_was_never_seen_says_so_and_keeps_its_last_status(
    status: str, finish_reason: str
) -> None:
    state = after(poll(0, 10, "queued"), poll(S, 2 * S, status, required=(call("c1"),)))
    found = facts(tree(state, unfinished="evicted"))
    assert (found.unfinished, found.finish_reason, found.end_uncertainty_s) == (
        "evicted",
        finish_reason,
        None,
    )
    assert found.run is not None
    assert (found.run.status, found.run.usage) == (status, None)
    calls = [part.call.id for message in found.outputs for part in message.parts if part.call]
    assert calls == (["c1"] if status == "requires_action" else [])


def test_what_broke_the_stream_is_the_error_of_a_run_that_never_ended_and_of_no_other() -> None:
    broken = ApiError("server_error", "boom")
    alive = replace(after(event(S, "in_progress")), stream_error=broken)
    assert tree(alive, unfinished="stream_closed").error == broken
    assert tree(replace(ended("completed"), stream_error=broken)).error is None


def test_a_refused_run_is_a_run_span_with_its_error_and_nothing_below() -> None:
    request = RunRequest(agent_id="asst_1", model="gpt-4o", additional_instructions="secret")
    span = failed_request(SERVER, request, "thread_1", 5, 9, ApiError("rate_limit_exceeded", "no"), Texts())
    expected = RunFacts(
        server=SERVER,
        request=RunRequest(agent_id="asst_1", model="gpt-4o"),
        run=Run("", "thread_1", agent_id="asst_1"),
        agent=Agent("asst_1"),
        finish_reason="error",
    )
    error = ApiError("rate_limit_exceeded", "no")
    assert span == SpanData(SpanKind.RUN, "invoke_agent", 5, 9, expected, error)


def test_a_refused_run_without_an_assistant_and_without_content() -> None:
    texts = Texts(captures=False)
    span = failed_request(SERVER, RunRequest(), "thread_1", 5, 9, ApiError("bad", "secret"), texts)
    expected = RunFacts(SERVER, RunRequest(), Run("", "thread_1"), captured=False, finish_reason="error")
    assert (span.facts, span.error) == (expected, ApiError("bad", None))


def test_keys_in_the_error_of_a_refused_run_are_masked() -> None:
    texts = Texts()
    texts.secrets.add(["abcdefgh1"])
    span = failed_request(SERVER, RunRequest(), "t", 5, 9, ApiError("bad", "key abcdefgh1"), texts)
    assert span.error == ApiError("bad", "key <masked>")


def test_events_tell_each_change_with_its_source_and_the_first_token() -> None:
    state = after(
        poll(0, 0, "queued"),
        poll(9 * S, 10 * S, "completed", started_at=A + 3, ended_at=A + 7),
        state=begun(0, 0),
    )
    note = SpanEvent("exception", 99 * S, {"exception.type": "ValueError"})
    early = SpanEvent("early", -5)
    span = tree(replace(state, first_token_ns=4 * S, notes=(note, early)))

    def changed(status: str, at: int, source: str) -> SpanEvent:
        told = {"runspan.run.status": status, "runspan.source": source}
        return SpanEvent(f"thread.run.{status}", at * S, told)

    assert span.events == (
        changed("queued", 0, "observed"),
        replace(early, at_ns=0),
        changed("in_progress", 3, "server"),
        SpanEvent("first_token", 4 * S),
        changed("completed", 7, "server"),
        replace(note, at_ns=7 * S),  # after the end, so moved inside
    )
    assert facts(span).first_chunk_s == 4.0
    assert facts(span).detection_lag_s == 3.0


def test_a_first_token_that_came_together_with_the_end_stands_before_it() -> None:
    state = after(poll(4 * S, 4 * S, "completed", started_at=A + 3, ended_at=A + 3), state=begun(0, 0))
    end_ns = tree(state).end_ns
    span = tree(replace(state, first_token_ns=end_ns))
    assert [event.name for event in span.events][-2:] == ["first_token", "thread.run.completed"]


def test_tools_asked_for_hang_below_the_run() -> None:
    state = after(
        event(S, "in_progress"),
        event(2 * S, "requires_action", required=(call("c1"), call("c2"))),
        submit(5 * S, 6 * S, c1="22 C", c2="rain"),
        event(9 * S, "completed"),
    )
    span = tree(state)
    kinds = [SpanKind.GENERATION, SpanKind.TOOL, SpanKind.TOOL]
    assert [c.kind for c in span.children] == kinds
    for tool, id_, output in zip(span.children[1:], ("c1", "c2"), ("22 C", "rain"), strict=True):
        assert isinstance(tool.facts, ToolFacts)
        assert tool.facts == ToolFacts(SERVER, replace(call(id_), output=output), None, "thread_1")
        assert (tool.operation, tool.start_ns, tool.end_ns, tool.error) == (
            "execute_tool",
            2 * S,
            5 * S,
            None,
        )
    shown = [(m.role, [(p.type, p.call.id) for p in m.parts if p.call]) for m in facts(span).outputs]
    assert shown == [
        ("assistant", [("tool_call", "c1"), ("tool_call", "c2")]),
        ("tool", [("tool_call_response", "c1"), ("tool_call_response", "c2")]),
        ("assistant", []),
    ]
