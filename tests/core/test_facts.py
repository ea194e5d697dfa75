"""What the run span and the generation span say of a Run."""

from __future__ import annotations

from msgspec.structs import replace

from runspan.core.conversation import Conversation
from runspan.core.cost import Terms
from runspan.core.limits import Limits
from runspan.core.model import Agent, Cost, Message, Outcome, Part, RunFacts, RunRequest, ToolFacts, Usage
from runspan.core.redact import CUT, Texts
from tests.core.trees import ASSISTANT, CAPTURED, LOG, ended, facts, tree
from tests.core.words import SERVER, A, S, after, begun, call, event, poll, said, submit

WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Of a city."}}
ASKED = RunRequest(
    *("gpt-4o-mini", "asst_1", "Be brief."),
    additional_messages=(said("and this"),),
    stream=True,
    settings={"reasoning_effort": "low"},
    data_source_ids=("vs_1",),
)
TOLD = replace(
    after(
        event(S, "queued"),
        event(2 * S, "requires_action", required=(call("c1"),)),
        submit(4 * S, 4 * S, c1="22 C"),
        event(4 * S, "in_progress"),
        event(
            *(9 * S, "completed"),
            agent_id="asst_1",
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
    origin="adopted",
    noticed_ns=10 * S,
    polls=5,
)
ALL_FACTS = RunFacts(
    server=SERVER,
    request=replace(ASKED, additional_instructions=None, additional_messages=()),
    run=replace(TOLD.run, instructions=None, required=()),
    agent=ASSISTANT,
    origin="adopted",
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
    agent=replace(ASSISTANT, description=None),
    instructions=(),
    inputs=(),
    outputs=(),
    captured=False,
)


def price(provider: str, model: str, usage: Usage, at_ns: int, terms: Terms) -> Cost | None:
    return (
        Cost(1.0, 2.0, 3.0)
        if (provider, model, usage, at_ns, terms) == ("openai", "gpt-4o", Usage(5, 7), 0, ())
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
    texts = Texts(redact=lambda kind, text: f"<{kind} {text}>")
    generation = tree(TOLD, texts=texts, event_texts=texts).children[0]
    assert generation.event_facts == generation.facts
    run = facts(generation).run
    assert run is not None
    assert run.metadata == {"<metadata plan>": "<metadata pro>"}
    assert facts(generation).agent == replace(
        ASSISTANT, name="<name Math Tutor>", description="<description Teaches.>"
    )


def test_what_is_not_known_is_left_out() -> None:
    found = facts(tree(after(event(S, "completed"), state=begun(0, S)), Conversation(), agent=None))
    assert (found.agent, found.first_chunk_s, found.first_chunk_ns, found.data_source_id) == (None,) * 4
    assert (found.has_all_inputs, found.cost, found.instructions) == (False, None, ())
    named = after(event(S, "completed", agent_id="asst_9"))
    assert facts(tree(named, agent=None)).agent == Agent("asst_9")
    unnoticed = replace(named, noticed_ns=None)
    assert facts(tree(unnoticed)).detection_lag_s is None
    assert facts(tree(replace(named, noticed_ns=0))).detection_lag_s == 0.0  # noticed before it happened


def test_the_first_token_is_counted_from_the_request() -> None:
    state = after(event(5 * S, "completed"), state=begun(S, 2 * S))
    assert facts(tree(replace(state, first_token_ns=4 * S))).first_chunk_s == 3.0


def test_the_end_of_a_polled_run_is_as_uncertain_as_its_polls() -> None:
    found = facts(tree(after(poll(0, 0, "queued"), poll(9 * S, 10 * S, "completed"), state=begun(0, 0))))
    assert found.end_uncertainty_s == 10.0


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
    log = Conversation((Message("m2", "assistant", parts, A + 2, "run_1"),))
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
    log = Conversation(tuple(said("x" * 10, f"m{i}", created_at=A) for i in range(8)))
    by_count = facts(tree(ended("completed"), log, limits=Limits(max_input_messages=3)))
    assert ([m.id for m in by_count.inputs], by_count.omitted_inputs) == (["m5", "m6", "m7"], 5)
    by_size = facts(tree(ended("completed"), log, limits=Limits(max_input_chars=25)))
    assert ([m.id for m in by_size.inputs], by_size.omitted_inputs) == (["m6", "m7"], 6)
    tiny = facts(tree(ended("completed"), log, limits=Limits(max_input_chars=1)))
    assert ([m.id for m in tiny.inputs], tiny.omitted_inputs) == (["m7"], 7)


def test_a_huge_message_counts_with_what_is_kept_of_it() -> None:
    log = Conversation((said("short", "m0", created_at=A), said("x" * 100_000, "m1", created_at=A)))
    found = facts(tree(ended("completed"), log, Texts(max_chars=100)))
    assert [m.id for m in found.inputs] == ["m0", "m1"]
    (part,) = found.inputs[1].parts
    assert (part.text, part.fields) == ("x" * 99 + CUT, {"original_length": 100_000})


def test_text_of_a_stream_that_was_cut_goes_out_once_and_as_incomplete() -> None:
    begun_ = Message("m2", "assistant", (), A, "run_1", is_growing=True)  # what `thread.message.created` told
    state = replace(after(event(S, "in_progress")), partial={"m2": "half an ans"})
    for log in (Conversation((LOG.messages[0], begun_)), Conversation(LOG.messages[:1])):
        (message,) = facts(tree(state, log, unfinished="stream_closed")).outputs
        assert message == Message(
            *("m2", "assistant", (Part("text", "half an ans"),)),
            created_at=A if begun_ in log.messages else None,
            run_id="run_1",
            outcome=Outcome.INCOMPLETE,
        )
    assert facts(tree(replace(state, partial={"m2": "", "m3": "b"}), Conversation())).outputs[0].id == "m3"


def test_text_of_a_cut_stream_gives_way_to_the_message_that_was_read_later() -> None:
    state = replace(ended("completed"), partial={"m2": "a"})
    assert facts(tree(state)).outputs == (LOG.messages[1],)


def test_a_vector_store_is_named_where_there_is_exactly_one() -> None:
    one, other = replace(ASSISTANT, data_source_ids=("vs_1",)), RunRequest(data_source_ids=("vs_2",))
    log = replace(LOG, data_source_ids=("vs_1",))
    assert facts(tree(ended("completed"), agent=one)).data_source_id == "vs_1"
    assert facts(tree(ended("completed"), log, agent=one)).data_source_id == "vs_1"
    assert facts(tree(replace(ended("completed"), request=other), log)).data_source_id is None
    assert facts(tree(ended("completed"))).data_source_id is None
