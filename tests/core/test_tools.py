"""Tool spans: from rounds and from steps, each call once, inside the run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.apis.assistants.statuses import STEP
from runspan.core.assembly import assemble
from runspan.core.conversation import Conversation
from runspan.core.lifecycle import RunState
from runspan.core.model import (
    ApiError,
    Document,
    Observation,
    Part,
    RunRequest,
    RunStep,
    SpanData,
    SpanKind,
    ToolCall,
    ToolFacts,
    Usage,
)
from runspan.core.redact import Texts
from tests.core.words import KEY, SERVER, A, S, after, begun, call, event, poll, seen, submit

CODE = ToolCall("c1", "code_interpreter", "code_interpreter", "print(1)", outputs=(Part("logs", "1"),))


def tools(state: RunState) -> list[SpanData]:
    span = assemble(state, Conversation(), None, Texts())
    return [c for c in span.children if c.kind is SpanKind.TOOL]


def facts(span: SpanData) -> ToolFacts:
    assert isinstance(span.facts, ToolFacts)
    return span.facts


def steps(*found: RunStep) -> Observation:
    return seen(20 * S, 20 * S, run_id=KEY.run_id, steps=found, all_steps=True)


def step(id_: str, *calls: ToolCall, **fields: Any) -> RunStep:
    outcome = STEP.get(fields.get("status", ""))
    return RunStep(**{"id": id_, "type": "tool_calls", "tool_calls": calls, "outcome": outcome, **fields})


def polled(*more: Observation) -> RunState:
    over = poll(9 * S, 10 * S, "completed", started_at=A + 1, ended_at=A + 9)
    return after(poll(0, 0, "queued"), over, *more, state=begun(0, 0))


def test_a_call_known_from_its_round_and_its_step_is_one_span() -> None:
    state = after(
        event(S, "in_progress"),
        event(2 * S, "requires_action", required=(call("c1"),)),
        submit(5 * S, 6 * S, c1="22 C"),
        event(9 * S, "completed"),
        steps(step("s1", ToolCall("c1", "function", "f", "{}", "other"), created_at=A + 2, ended_at=A + 5)),
    )
    (tool,) = tools(state)
    assert facts(tool) == ToolFacts(SERVER, replace(call("c1"), output="22 C"), "s1", "thread_1")
    assert (tool.start_ns, tool.end_ns) == (2 * S, 5 * S)


def test_tools_of_the_server_are_placed_by_the_stamps_of_their_step() -> None:
    (tool,) = tools(polled(steps(step("s1", CODE, created_at=A + 3, ended_at=A + 6))))
    assert facts(tool) == ToolFacts(SERVER, CODE, "s1", "thread_1")
    assert (tool.start_ns, tool.end_ns) == (3 * S, 6 * S)


def test_streamed_steps_lie_where_their_events_arrived() -> None:
    (tool,) = tools(polled(steps(step("s1", call("c1"), created_at=A + 3, seen_ns=2 * S, done_ns=4 * S))))
    assert (tool.start_ns, tool.end_ns) == (2 * S, 4 * S)


def test_a_step_that_never_ended_ends_with_its_run() -> None:
    (tool,) = tools(polled(steps(step("s1", call("c1"), created_at=A + 3))))
    assert tool.end_ns == timing_end(polled())


def timing_end(state: RunState) -> int:
    return assemble(state, Conversation(), None, Texts()).end_ns


def test_a_failed_step_is_the_error_of_its_tool() -> None:
    broken = step("s1", call("c1"), error=ApiError("server_error", "no sandbox"), created_at=A)
    (tool,) = tools(polled(steps(broken)))
    assert tool.error == ApiError("server_error", "no sandbox")


def test_everything_lies_inside_the_run_whatever_the_stamps_say() -> None:
    wild = step("s1", call("c1"), created_at=A - 900, ended_at=A + 900, seen_ns=-5, done_ns=99 * S)
    upside_down = step("s2", call("c2"), seen_ns=8 * S, done_ns=2 * S)
    state = polled(steps(wild, upside_down))
    span = assemble(state, Conversation(), None, Texts())
    for child in span.children:
        assert span.start_ns <= child.start_ns <= child.end_ns <= span.end_ns


def test_steps_are_in_list_order_whichever_was_known_first() -> None:
    first = step("s1", call("c1"), created_at=A + 2, ended_at=A + 3)
    second = step("s2", call("c2"), created_at=A + 6, ended_at=A + 7)
    known = replace(steps(second), all_steps=False)
    assert [(facts(t).call.id, t.start_ns) for t in tools(polled(known, steps(first, second)))] == [
        ("c1", 2 * S),
        ("c2", 6 * S),
    ]


def test_calls_without_an_id_are_still_one_span_each() -> None:
    nameless = [ToolCall("", "code_interpreter", "code_interpreter", f"print({i})") for i in range(2)]
    state = polled(steps(step("s1", *nameless), step("s2", nameless[0])))
    assert [facts(t).call.arguments for t in tools(state)] == ["print(0)", "print(1)", "print(0)"]


def test_a_call_that_nobody_answered_lasts_until_the_run_ends() -> None:
    state = after(
        event(S, "in_progress"),
        event(2 * S, "requires_action", required=(call("c1"),)),
        event(7 * S, "expired"),
    )
    (tool,) = tools(state)
    assert (tool.start_ns, tool.end_ns) == (2 * S, 7 * S)


def test_calls_of_rounds_without_an_id_are_one_span_each_too() -> None:
    state = after(
        event(S, "in_progress"),
        event(2 * S, "requires_action", required=(call("", "f"), call("", "g"))),
        event(4 * S, "in_progress"),
        event(5 * S, "requires_action", required=(call("", "h"), call("c1", "i"))),
        event(7 * S, "expired"),
    )
    assert [facts(t).call.name for t in tools(state)] == ["f", "g", "h", "i"]


def test_what_somebody_else_answered_its_step_tells() -> None:
    asks = event(2 * S, "requires_action", required=(call("c1"),))
    answered = replace(call("c1"), output="22 C")
    state = after(asks, event(5 * S, "in_progress"), event(9 * S, "completed"), steps(step("s1", answered)))
    assert [facts(t).call for t in tools(state)] == [answered]


def test_what_a_round_does_not_know_its_step_tells() -> None:
    state = after(
        event(S, "in_progress"),
        submit(5 * S, 6 * S, c1="22 C", c2="rain"),  # a wait that nobody saw
        event(9 * S, "completed"),
        steps(
            step(
                "s1", ToolCall("c1", "function", "look", "{}", "other"), created_at=A + 2, usage=Usage(1, 2)
            ),
            step("s2", ToolCall("c2", "function", "", None, "other", is_incomplete=True)),
        ),
    )
    first, second = tools(state)
    assert facts(first) == ToolFacts(
        *(SERVER, ToolCall("c1", "function", "look", "{}", "22 C"), "s1", "thread_1"), usage=Usage(1, 2)
    )
    assert facts(second).call == ToolCall("c2", "function", "", None, "rain", is_incomplete=True)
    assert (first.start_ns, first.end_ns) == (5 * S, 5 * S)


def test_a_step_never_begins_before_the_step_before_it() -> None:
    late = step("s1", call("c1"), created_at=A + 6, ended_at=A + 7)
    wrong = step("s2", call("c2"), created_at=A + 2, ended_at=A + 8)
    later = step("s3", call("c3"), ended_at=A + 8)
    found = [(facts(t).call.id, t.start_ns) for t in tools(polled(steps(late, wrong, later)))]
    assert found == [("c1", 6 * S), ("c2", 15 * S // 2), ("c3", 15 * S // 2)]  # in the middle of what may be


def upper(kind: str, text: str) -> str:
    return f"{kind}:{text.upper()}"


WHOLE = ToolCall(
    *("c1", "file_search", "search", "abc", "def"),
    outputs=(Part("logs", "ghi"),),
    documents=(Document("f1", "a.txt", 0.5, "jkl"), Document("f2", "b.txt", 0.25)),
)


def test_every_text_of_a_call_goes_out_by_its_kind_and_within_its_limit() -> None:
    span = assemble(polled(steps(step("s1", WHOLE))), Conversation(), None, Texts(redact=upper, max_chars=17))
    assert facts(span.children[1]).call == ToolCall(
        *("c1", "file_search", "name:SEARCH", "tool.arguments:A…", "tool.result:DEF"),
        outputs=(Part("logs", "tool.result:GHI"),),
        documents=(
            Document("f1", "tool.result:A.TXT", 0.5, "tool.result:JKL"),
            Document("f2", "tool.result:B.TXT", 0.25),
        ),
        original_length={"arguments": 18},
    )
    short = assemble(polled(steps(step("s1", WHOLE))), Conversation(), None, Texts(max_chars=3))
    assert facts(short.children[1]).call.original_length == {}
    assert facts(short.children[1]).call.documents[0] == Document("f1", "a.…", 0.5, "jkl")
    tiny = assemble(polled(steps(step("s1", WHOLE))), Conversation(), None, Texts(max_chars=2))
    assert facts(tiny.children[1]).call.original_length == {"arguments": 3, "output": 3}
    assert facts(tiny.children[1]).call.documents[0] == Document("f1", "a…", 0.5, "j…", original_length=3)
    nothing = assemble(polled(steps(step("s1", WHOLE))), Conversation(), None, Texts(captures=False))
    assert facts(nothing.children[1]).call == ToolCall(
        "c1", "file_search", "search", documents=(Document("f1", None, 0.5), Document("f2", None, 0.25))
    )


def test_what_a_call_searched_in_and_what_a_function_is_for() -> None:
    described = {"type": "function", "function": {"name": "look", "description": "Looks."}}
    kinds = ("function", "file_search", "retrieval", "code_interpreter")
    calls = (ToolCall(f"c{n}", kind, "look") for n, kind in enumerate(kinds))
    state = after(
        event(S, "in_progress"),
        event(
            9 * S,
            "completed",
            tools=({"type": "function"}, {"function": {"name": "x", "description": 5}}, described),
        ),
        steps(step("s1", *calls)),
        state=begun(request=RunRequest(data_source_ids=("vs_1",))),
    )
    assert [(facts(t).description, facts(t).data_source_id) for t in tools(state)] == [
        ("Looks.", None),
        (None, "vs_1"),
        (None, "vs_1"),
        (None, None),
    ]


def test_the_error_of_a_step_is_a_text_of_its_own_kind() -> None:
    broken = step("s1", CODE, status="expired", error=ApiError("x", "too late"))
    span = assemble(polled(steps(broken)), Conversation(), None, Texts(redact=upper))
    assert span.children[1].error == ApiError("expired", "error:TOO LATE")
    alone = RunStep("s1", "tool_calls", tool_calls=(CODE,))
    (tool,) = tools(polled(steps(alone)))
    assert tool == SpanData(
        *(SpanKind.TOOL, "execute_tool", tool.start_ns, tool.end_ns),
        ToolFacts(SERVER, CODE, "s1", "thread_1", is_untimed=True),
    )


def test_message_steps_make_no_span() -> None:
    assert tools(polled(steps(RunStep("s1", "message_creation", message_id="m1")))) == []


FAILED = ApiError("server_error", "no sandbox")
STEP_ERRORS: dict[str, tuple[dict[str, Any], ApiError | None]] = {
    "failed": ({"status": "failed", "error": FAILED}, FAILED),
    "failed without a word": ({"status": "failed"}, ApiError("failed")),
    "expired": ({"status": "expired"}, ApiError("expired")),
    "cancelled": ({"status": "cancelled"}, None),
    "cancelled with a word": ({"status": "cancelled", "error": FAILED}, None),
    "completed": ({"status": "completed"}, None),
}


@pytest.mark.parametrize("name", STEP_ERRORS)
def test_each_end_of_a_step_has_its_status_and_error(name: str) -> None:
    fields, error = STEP_ERRORS[name]
    (tool,) = tools(polled(steps(step("s1", call("c1"), **fields))))
    assert (facts(tool).step_status, tool.error) == (fields["status"], error)


def test_the_usage_of_a_step_stands_on_the_first_of_its_calls() -> None:
    both = step("s1", call("c1"), call("c2"), usage=Usage(30, 4))
    state = polled(steps(both, step("s2", call("c3"), usage=Usage(50, 6))))
    assert [facts(t).usage for t in tools(state)] == [Usage(30, 4), None, Usage(50, 6)]


def test_spans_stand_in_the_order_in_which_the_calls_began() -> None:
    code = step("s1", CODE, seen_ns=S, done_ns=2 * S)
    state = after(
        event(S, "in_progress"),
        event(4 * S, "requires_action", required=(call("c2"),)),
        event(9 * S, "completed"),
        steps(code),
    )
    assert [facts(t).call.id for t in tools(state)] == ["c1", "c2"]


def test_a_later_look_without_file_contents_takes_none_away() -> None:
    found = ToolCall("c1", *("file_search",) * 2, documents=(Document("f", "f.txt", 0.5, "text"),))
    bare = replace(found, documents=(Document("f", "f.txt", 0.5),))
    for looks in ([found, bare], [bare, found], [bare, found, bare]):
        (tool,) = tools(polled(*(steps(step("s1", c)) for c in looks)))
        assert facts(tool).call.documents == found.documents


def test_a_function_is_described_by_the_tools_of_its_run() -> None:
    definition = {"type": "function", "function": {"name": "get_weather", "description": "Of a city."}}
    state = after(
        event(S, "requires_action", required=(call("c1"),), tools=(definition, {"type": "function"})),
        event(2 * S, "completed"),
    )
    (tool,) = tools(state)
    assert facts(tool).description == "Of a city."


def test_pieces_of_a_cut_stream_give_way_to_the_whole_call() -> None:
    pieces = replace(CODE, arguments="print", is_incomplete=True)
    cut_off = seen(5 * S, 5 * S, run_id=KEY.run_id, steps=(step("s1", pieces),))
    (tool,) = tools(polled(cut_off))
    assert facts(tool).call == pieces
    (tool,) = tools(polled(cut_off, steps(step("s1", CODE, status="completed", ended_at=A + 5))))
    assert facts(tool).call == CODE


def test_texts_of_a_tool_are_cut_and_say_so() -> None:
    long = replace(call("c1"), arguments='{"a":"' + "x" * 200 + '"}', output="y" * 300)
    span = assemble(polled(steps(step("s1", long))), Conversation(), None, Texts(max_chars=100))
    found = facts(next(c for c in span.children if c.kind is SpanKind.TOOL)).call
    assert found.original_length == {"arguments": 208, "output": 300}
    assert json.loads(found.arguments or "")["a"].endswith("x…"), "what was JSON stays JSON"
    assert (len(found.output or ""), (found.output or "")[-2:]) == (100, "y…")


def test_without_content_a_search_keeps_which_files_it_found() -> None:
    found = ToolCall("c1", *("file_search",) * 2, "{}", documents=(Document("f", "secret.txt", 0.5, "text"),))
    span = assemble(polled(steps(step("s1", found))), Conversation(), None, Texts(captures=False))
    kept = facts(next(c for c in span.children if c.kind is SpanKind.TOOL)).call
    assert (kept.arguments, kept.documents) == (None, (Document("f", None, 0.5),))
