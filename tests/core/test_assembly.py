"""RunState and ThreadLog -> the tree of spans."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.assembly import assemble, failed_request
from runspan.core.lifecycle import RunState
from runspan.core.limits import Limits
from runspan.core.model import (
    ApiError,
    Assistant,
    Message,
    Part,
    RunFacts,
    RunRequest,
    SpanData,
    SpanEvent,
    SpanKind,
    ToolFacts,
)
from runspan.core.redact import CUT, Texts
from runspan.core.thread import ThreadLog
from tests.core.words import SERVER, A, S, after, begun, call, event, poll, said, submit

CAPTURED = Texts()
ASSISTANT = Assistant("asst_1", "Math Tutor", "Teaches.", "gpt-4o")


def answer(text: str, id_: str = "m2", **fields: Any) -> Message:
    return Message(
        id_, "assistant", (Part("text", text),), **{"created_at": A + 2, "run_id": "run_1", **fields}
    )


LOG = ThreadLog((said("q1", "m1", created_at=A), answer("a1")), whole_since_start=True)


def tree(state: RunState, log: ThreadLog = LOG, texts: Texts = CAPTURED, **more: Any) -> SpanData:
    return assemble(state, log, more.pop("assistant", ASSISTANT), texts, **more)


def facts(span: SpanData) -> RunFacts:
    assert isinstance(span.facts, RunFacts)
    return span.facts


def ended(status: str, **fields: Any) -> RunState:
    return after(
        event(S, "queued"), event(2 * S, "in_progress"), event(5 * S, status, **fields), state=begun(0, S)
    )


def test_a_run_becomes_a_run_span_with_one_generation_below() -> None:
    span = tree(ended("completed", assistant_id="asst_1"))
    (generation,) = span.children
    assert (span.kind, span.operation, span.start_ns, span.end_ns) == (SpanKind.RUN, "invoke_agent", 0, 5 * S)
    assert (generation.kind, generation.operation) == (SpanKind.GENERATION, "chat")
    assert (generation.start_ns, generation.end_ns) == (2 * S, 5 * S)
    assert generation.facts is span.facts
    assert facts(span).assistant == ASSISTANT
    assert (facts(span).queue_s, facts(span).active_s, facts(span).tool_wait_s) == (2.0, 3.0, 0.0)
    assert [m.id for m in facts(span).inputs] == ["m1"]
    assert [m.id for m in facts(span).outputs] == ["m2"]
    assert (facts(span).detection_lag_s, facts(span).end_uncertainty_s) == (0.0, 0.0)


ENDINGS: dict[str, tuple[dict[str, Any], ApiError | None, str]] = {
    "completed": ({}, None, "stop"),
    "failed": (
        {"error": ApiError("rate_limit_exceeded", "slow down")},
        ApiError("rate_limit_exceeded", "slow down"),
        "error",
    ),
    "failed without a word": ({}, ApiError("failed"), "error"),
    "expired": ({}, ApiError("expired"), "error"),
    "cancelled": ({}, None, "error"),
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


def test_a_message_stopped_by_the_filter_is_the_reason_of_its_run() -> None:
    log = ThreadLog((answer("no", incomplete_reason="content_filter", status="incomplete"),))
    assert facts(tree(ended("completed"), log)).finish_reason == "content_filter"


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
    request = RunRequest(assistant_id="asst_1", model="gpt-4o", additional_instructions="secret")
    span = failed_request(SERVER, request, "thread_1", 5, 9, ApiError("rate_limit_exceeded", "no"), Texts())
    assert (span.start_ns, span.end_ns, span.children) == (5, 9, ())
    assert span.error == ApiError("rate_limit_exceeded", "no")
    assert facts(span).request == RunRequest(assistant_id="asst_1", model="gpt-4o")


def test_events_tell_each_change_with_its_source_and_the_first_token() -> None:
    state = after(
        poll(0, 0, "queued"),
        poll(9 * S, 10 * S, "completed", started_at=A + 3, ended_at=A + 7),
        state=begun(0, 0),
    )
    note = SpanEvent("exception", 99 * S, {"exception.type": "ValueError"})
    span = tree(replace(state, first_token_ns=4 * S, notes=(note,)))
    assert [(e.name, e.at_ns, e.attributes.get("runspan.source")) for e in span.events] == [
        ("thread.run.queued", 0, "observed"),
        ("thread.run.in_progress", 3 * S, "server"),
        ("first_token", 4 * S, None),
        ("thread.run.completed", 7 * S, "server"),
        ("exception", 7 * S, None),  # after the end, so moved inside
    ]
    assert facts(span).first_chunk_s == 4.0
    assert facts(span).detection_lag_s == 3.0


# ---------------------------------------------------------------- texts and limits


def test_instructions_are_the_runs_and_what_was_added_unless_they_hold_it_already() -> None:
    request = RunRequest(additional_instructions="Be brief.")
    for whole, expected in {
        "Teach.": ("Teach.", "Be brief."),
        "Teach.\nBe brief.": ("Teach.\nBe brief.",),
        None: ("Be brief.",),
    }.items():
        state = after(event(S, "completed", instructions=whole), state=begun(request=request))
        assert facts(tree(state)).instructions == expected


def test_a_long_answer_is_cut_once_and_keeps_its_length() -> None:
    parts = tuple(Part("text", letter * 50) for letter in "abc")
    log = ThreadLog((Message("m2", "assistant", parts, A + 2, "run_1"),))
    (told,) = facts(tree(ended("completed"), log, limits=Limits(max_message_chars=60))).outputs
    assert told.original_length == 150
    assert [part.fields.get("original_length") for part in told.parts] == [None, 50, 50]


def test_instructions_that_were_cut_say_how_long_they_were() -> None:
    state = after(event(S, "completed", instructions="x" * 200))
    found = facts(tree(state, texts=Texts(max_chars=50)))
    assert (found.instructions, found.instructions_length) == (("x" * 49 + CUT,), 200)
    assert facts(tree(state)).instructions_length is None


def test_the_newest_inputs_are_kept_and_the_cut_is_counted() -> None:
    log = ThreadLog(tuple(said("x" * 10, f"m{i}", created_at=A) for i in range(8)))
    by_count = facts(tree(ended("completed"), log, limits=Limits(max_input_messages=3)))
    assert ([m.id for m in by_count.inputs], by_count.omitted_inputs) == (["m5", "m6", "m7"], 5)
    by_size = facts(tree(ended("completed"), log, limits=Limits(max_input_chars=25)))
    assert ([m.id for m in by_size.inputs], by_size.omitted_inputs) == (["m6", "m7"], 6)
    tiny = facts(tree(ended("completed"), log, limits=Limits(max_input_chars=1)))
    assert ([m.id for m in tiny.inputs], tiny.omitted_inputs) == (["m7"], 7)


def test_a_huge_message_counts_with_what_is_kept_of_it() -> None:
    log = ThreadLog((said("short", "m0", created_at=A), said("x" * 100_000, "m1", created_at=A)))
    found = facts(tree(ended("completed"), log, Texts(max_chars=100)))
    assert [m.id for m in found.inputs] == ["m0", "m1"]
    (part,) = found.inputs[1].parts
    assert (part.text, part.fields) == ("x" * 99 + CUT, {"original_length": 100_000})


def test_text_of_a_stream_that_was_cut_goes_out_once_and_as_incomplete() -> None:
    begun_ = Message("m2", "assistant", (), A, "run_1", "in_progress")  # what `thread.message.created` told
    state = replace(after(event(S, "in_progress")), partial={"m2": "half an ans"})
    for log in (ThreadLog((LOG.messages[0], begun_)), ThreadLog(LOG.messages[:1])):
        (message,) = facts(tree(state, log, unfinished="stream_closed")).outputs
        assert (message.id, message.status, message.parts) == (
            "m2",
            "incomplete",
            (Part("text", "half an ans"),),
        )


def test_text_of_a_cut_stream_gives_way_to_the_message_that_was_read_later() -> None:
    state = replace(ended("completed"), partial={"m2": "a"})
    assert facts(tree(state)).outputs == (LOG.messages[1],)


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


def test_a_vector_store_is_named_where_there_is_exactly_one() -> None:
    one, other = replace(ASSISTANT, vector_store_ids=("vs_1",)), RunRequest(vector_store_ids=("vs_2",))
    log = replace(LOG, vector_store_ids=("vs_1",))
    assert facts(tree(ended("completed"), log, assistant=one)).data_source_id == "vs_1"
    assert facts(tree(replace(ended("completed"), request=other), log)).data_source_id is None
    assert facts(tree(ended("completed"))).data_source_id is None
