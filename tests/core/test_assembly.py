"""RunState and ThreadLog -> the tree of spans."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.assembly import assemble, failed_request, without_calls
from runspan.core.lifecycle import RunState
from runspan.core.limits import Limits
from runspan.core.model import (
    ApiError,
    Assistant,
    Cost,
    Message,
    Part,
    Run,
    RunFacts,
    RunRequest,
    SpanData,
    SpanEvent,
    SpanKind,
    ToolFacts,
    Usage,
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


WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Of a city."}}
ASKED = RunRequest(
    *("gpt-4o-mini", "asst_1", "Be brief."),
    additional_messages=(said("and this"),),
    stream=True,
    settings={"reasoning_effort": "low"},
    vector_store_ids=("vs_1",),
)
TOLD = replace(
    after(
        event(S, "queued"),
        event(2 * S, "requires_action", required=(call("c1"),)),
        submit(4 * S, 4 * S, c1="22 C"),
        event(4 * S, "in_progress"),
        event(
            *(9 * S, "completed"),
            assistant_id="asst_1",
            model="gpt-4o",
            instructions="Teach.",
            usage=Usage(5, 7),
            tools=(WEATHER,),
            metadata={"plan": "pro"},
            settings={"top_p": 0.5},
            expires_at=9,
        ),
        state=begun(0, S, request=ASKED),
    ),
    first_token_ns=3 * S,
    origin="joined",
    noticed_ns=10 * S,
    polls=5,
)
ALL_FACTS = RunFacts(
    server=SERVER,
    request=replace(ASKED, additional_instructions=None, additional_messages=()),
    run=replace(TOLD.run, instructions=None, required=()),
    assistant=ASSISTANT,
    origin="joined",
    finish_reason="stop",
    queue_s=2.0,
    active_s=5.0,
    tool_wait_s=2.0,
    detection_lag_s=1.0,
    end_uncertainty_s=0.0,
    first_chunk_s=3.0,
    first_chunk_ns=3 * S,
    polls=5,
    instructions=("Teach.", "Be brief."),
    inputs=(LOG.messages[0], said("and this")),
    has_all_inputs=True,
    outputs=(
        Message(
            "", "assistant", (Part("tool_call", call=replace(call("c1"), output="22 C")),), run_id="run_1"
        ),
        Message(
            "", "tool", (Part("tool_call_response", call=replace(call("c1"), output="22 C")),), run_id="run_1"
        ),
        LOG.messages[1],
    ),
    data_source_id="vs_1",
    cost=Cost(1.0, 2.0, 3.0),
)
NO_TEXTS = replace(
    ALL_FACTS,
    run=replace(TOLD.run, instructions=None, required=(), metadata={}, tools=()),
    assistant=replace(ASSISTANT, description=None),
    instructions=(),
    inputs=(),
    outputs=(),
    captured=False,
)


def price(provider: str, model: str, usage: Usage, at_ns: int) -> Cost | None:
    return (
        Cost(1.0, 2.0, 3.0)
        if (provider, model, usage, at_ns) == ("openai", "gpt-4o", Usage(5, 7), 0)
        else None
    )


def test_all_that_is_known_of_a_run_is_told() -> None:
    assert facts(tree(TOLD, price=price)) == ALL_FACTS
    assert facts(tree(TOLD, texts=Texts(captures=False), price=price)) == NO_TEXTS


def test_content_for_a_log_record_stands_beside_what_the_span_says() -> None:
    span = tree(TOLD, texts=Texts(captures=False), price=price, event_texts=CAPTURED)
    generation, tool = span.children
    assert (generation.facts, generation.event_facts) == (NO_TEXTS, ALL_FACTS)
    assert isinstance(tool.facts, ToolFacts)
    assert tool.facts.call.output is None
    assert tree(TOLD).children[0].event_facts is None
    alive = tree(TOLD, unfinished="evicted", event_texts=CAPTURED).children[0].event_facts
    assert alive is not None
    assert alive.unfinished == "evicted"


def test_on_a_log_record_names_are_redacted_once_too() -> None:
    texts = Texts(redact=lambda kind, text: f"<{text}>")
    generation = tree(TOLD, texts=texts, event_texts=texts).children[0]
    assert generation.event_facts == generation.facts
    assert facts(generation).assistant == replace(ASSISTANT, name="<Math Tutor>", description="<Teaches.>")


def test_what_is_not_known_is_left_out() -> None:
    found = facts(tree(after(event(S, "completed"), state=begun(0, S)), ThreadLog(), assistant=None))
    assert (found.assistant, found.first_chunk_s, found.first_chunk_ns, found.data_source_id) == (None,) * 4
    assert (found.has_all_inputs, found.cost, found.instructions) == (False, None, ())
    named = after(event(S, "completed", assistant_id="asst_9"))
    assert facts(tree(named, assistant=None)).assistant == Assistant("asst_9")
    unnoticed = replace(named, noticed_ns=None)
    assert facts(tree(unnoticed)).detection_lag_s is None
    assert facts(tree(replace(named, noticed_ns=0))).detection_lag_s == 0.0  # noticed before it happened


def test_the_end_of_a_polled_run_is_as_uncertain_as_its_polls() -> None:
    found = facts(tree(after(poll(0, 0, "queued"), poll(9 * S, 10 * S, "completed"), state=begun(0, 0))))
    assert found.end_uncertainty_s == 10.0


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
            answer("no", incomplete_reason="content_filter", status="incomplete"),
            "completed",
            "content_filter",
        ),
        (answer("no", incomplete_reason="max_tokens", status="incomplete"), "incomplete", "length"),
        (answer("no", incomplete_reason="max_tokens", status="incomplete"), "completed", "stop"),
        (replace(answer(""), parts=(Part("refusal", "I will not."),)), "completed", "content_filter"),
        (answer("yes"), "incomplete", "error"),
        (answer("yes"), "completed", "stop"),
    ],
)
def test_how_its_messages_ended_is_how_the_run_finished(
    message: Message, status: str, finish_reason: str, texts: Texts
) -> None:
    assert facts(tree(ended(status), ThreadLog((message,)), texts)).finish_reason == finish_reason


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
    expected = RunFacts(
        server=SERVER,
        request=RunRequest(assistant_id="asst_1", model="gpt-4o"),
        run=Run("", "thread_1", assistant_id="asst_1"),
        assistant=Assistant("asst_1"),
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
    assert facts(tree(state, texts=Texts(max_chars=200))).instructions_length is None
    more = replace(state, request=RunRequest(additional_instructions="y" * 20))
    found = facts(tree(more, texts=Texts(max_chars=50)))
    assert (found.instructions, found.instructions_length) == (("x" * 49 + CUT, "y" * 20), 220)


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
        assert message == Message(
            *("m2", "assistant", (Part("text", "half an ans"),)), run_id="run_1", status="incomplete"
        )
    assert facts(tree(replace(state, partial={"m2": "", "m3": "b"}), ThreadLog())).outputs[0].id == "m3"


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
