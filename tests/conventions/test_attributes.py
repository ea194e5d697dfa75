"""The whole attribute dictionary of each kind of span."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.conventions import _level, attributes_of, genai
from runspan.conventions.genai import name
from runspan.core.model import (
    Agent,
    ApiError,
    CallFacts,
    Document,
    Message,
    Part,
    Run,
    RunFacts,
    RunRequest,
    Server,
    SpanData,
    SpanKind,
    ToolCall,
    ToolFacts,
    Usage,
)
from tests.support.examples import seeds

SERVER = Server("http://api.test/v1", "api.test", 8080, "openai")
RUN = Run(
    "run_1",
    "thread_1",
    "completed",
    "asst_1",
    model="gpt-4o",
    tools=({"type": "file_search"},),
    usage=Usage(100, 20, 40, 8),
    created_at=100,
    started_at=101,
    ended_at=105,
    metadata={"k": "v"},
    settings={
        "temperature": 0.5,
        "top_p": 1.0,
        "max_completion_tokens": 64,
        "parallel_tool_calls": True,
        "max_prompt_tokens": 9,
        "tool_choice": "get_weather",
        "truncation_strategy": 3,
    },
)
FACTS = RunFacts(
    server=SERVER,
    request=RunRequest(
        "gpt-4o-mini",
        "asst_1",
        stream=True,
        settings={"reasoning_effort": "high", "response_format": "json_object"},
    ),
    run=RUN,
    agent=Agent("asst_1", "Math Tutor", "Teaches.", "gpt-4"),
    finish_reason="stop",
    queue_s=1.0,
    active_s=3.5,
    tool_wait_s=0.0,
    detection_lag_s=0.25,
    end_uncertainty_s=0.5,
    first_chunk_s=1.5,
    polls=7,
    instructions=("Teach.",),
    inputs=(Message("m1", "user", (Part("text", "q1"),)), Message("m2", "user", (Part("text", "q2"),))),
    omitted_inputs=3,
    outputs=(Message("m3", "assistant", (Part("text", "a1"),), run_id="run_1"),),
)
COMMON = {
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.conversation.id": "thread_1",
    "gen_ai.response.id": "run_1",
    "session.id": "thread_1",
}
RUN_ATTRIBUTES = {
    **COMMON,
    "gen_ai.operation.name": "invoke_agent",
    "openinference.span.kind": "AGENT",
    "agent.name": "Math Tutor",
    "gen_ai.agent.id": "asst_1",
    "gen_ai.agent.name": "Math Tutor",
    "gen_ai.agent.description": "Teaches.",
    "server.address": "api.test",
    "server.port": 8080,
    "runspan.run.id": "run_1",
    "runspan.run.status": "completed",
    "runspan.run.queue_s": 1.0,
    "runspan.run.active_s": 3.5,
    "runspan.run.tool_wait_s": 0.0,
    "runspan.run.detection_lag_s": 0.25,
    "runspan.run.end_uncertainty_s": 0.5,
    "runspan.run.polls": 7,
    "runspan.run.created_at": 100,
    "runspan.run.started_at": 101,
    "runspan.run.ended_at": 105,
    "runspan.run.metadata": '{"k":"v"}',
    "input.value": "q2",
    "input.mime_type": "text/plain",
    "output.value": "a1",
    "output.mime_type": "text/plain",
}
GENERATION_ATTRIBUTES = {
    **COMMON,
    "gen_ai.operation.name": "chat",
    "openinference.span.kind": "LLM",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.reasoning.output_tokens": 8,
    "gen_ai.response.time_to_first_chunk": 1.5,
    "gen_ai.request.stream": True,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.top_p": 1.0,
    "gen_ai.request.max_tokens": 64,
    "gen_ai.request.reasoning.level": "high",
    "runspan.request.max_prompt_tokens": 9,
    "runspan.request.parallel_tool_calls": True,
    "runspan.request.tool_choice": "get_weather",
    "runspan.request.last_messages": 3,
    "gen_ai.output.type": "json",
    "gen_ai.system_instructions": '[{"type":"text","content":"Teach."}]',
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"q1"}]},'
    '{"role":"user","parts":[{"type":"text","content":"q2"}]}]',
    "runspan.input.omitted_messages": 3,
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"a1"}],"finish_reason":"stop"}]',
    "gen_ai.tool.definitions": '[{"type":"file_search","name":"file_search"}]',
}
TOOL = ToolFacts(
    *(SERVER, ToolCall("c1", "function", "get_weather", '{"city":"Bern"}', '{"c":22}'), "step_1", "thread_1"),
    step_status="completed",
    usage=Usage(30, 4),
    description="Of a city.",
)
TOOL_ATTRIBUTES = {
    "gen_ai.operation.name": "execute_tool",
    "openinference.span.kind": "TOOL",
    "gen_ai.conversation.id": "thread_1",
    "session.id": "thread_1",
    "gen_ai.tool.name": "get_weather",
    "gen_ai.tool.type": "function",
    "gen_ai.tool.description": "Of a city.",
    "gen_ai.tool.call.id": "c1",
    "gen_ai.tool.call.arguments": '{"city":"Bern"}',
    "gen_ai.tool.call.result": '{"c":22}',
    "runspan.step.id": "step_1",
    "runspan.step.status": "completed",
    "runspan.step.usage.input_tokens": 30,
    "runspan.step.usage.output_tokens": 4,
    "input.value": '{"city":"Bern"}',
    "input.mime_type": "application/json",
    "output.value": '{"c":22}',
    "output.mime_type": "application/json",
}


CODE = ToolCall(
    "c2",
    *("code_interpreter",) * 2,
    "plot()",
    outputs=(Part("logs", "done"), Part("image", None, {"file_id": "file-1"})),
)
CODE_RESULT = '[{"type":"logs","logs":"done"},{"type":"image","image":{"file_id":"file-1"}}]'
CODE_ATTRIBUTES = {
    "gen_ai.operation.name": "execute_tool",
    "openinference.span.kind": "TOOL",
    "gen_ai.tool.name": "code_interpreter",
    "gen_ai.tool.type": "extension",
    "gen_ai.tool.call.id": "c2",
    "gen_ai.tool.call.arguments": "plot()",
    "gen_ai.tool.call.result": CODE_RESULT,
    "input.value": "plot()",
    "input.mime_type": "text/plain",
    "output.value": CODE_RESULT,
    "output.mime_type": "application/json",
}
SEARCH = ToolCall(
    "c3",
    *("file_search",) * 2,
    '{"ranking_options":{"ranker":"auto"}}',
    documents=(Document("file-2", "birds.txt", 0.5, "The swift sleeps."), Document("file-3")),
)
FOUND = '[{"file_id":"file-2","file_name":"birds.txt","score":0.5},{"file_id":"file-3"}]'
SEARCH_ATTRIBUTES = {
    "gen_ai.operation.name": "execute_tool",
    "openinference.span.kind": "RETRIEVER",
    "gen_ai.tool.name": "file_search",
    "gen_ai.tool.type": "datastore",
    "gen_ai.tool.call.id": "c3",
    "gen_ai.tool.call.arguments": '{"ranking_options":{"ranker":"auto"}}',
    "gen_ai.tool.call.result": FOUND,
    "gen_ai.retrieval.documents": '[{"id":"file-2","score":0.5,"content":"The swift sleeps.","name":"birds.txt"},'
    '{"id":"file-3"}]',
    "gen_ai.data_source.id": "vs_1",
    "input.value": '{"ranking_options":{"ranker":"auto"}}',
    "input.mime_type": "application/json",
    "output.value": FOUND,
    "output.mime_type": "application/json",
    "retrieval.documents.0.document.id": "file-2",
    "retrieval.documents.0.document.score": 0.5,
    "retrieval.documents.0.document.content": "The swift sleeps.",
    "retrieval.documents.0.document.metadata": '{"file_name":"birds.txt"}',
    "retrieval.documents.1.document.id": "file-3",
}


def span(kind: SpanKind, facts: Any, operation: str, error: ApiError | None = None) -> SpanData:
    return SpanData(kind, operation, 0, 1, facts, error)


RUN_SPAN = span(SpanKind.RUN, FACTS, "invoke_agent")
GENERATION = span(SpanKind.GENERATION, FACTS, "chat")


def attributes(data: SpanData) -> dict[str, Any]:
    return attributes_of(data, 10_000)


def test_the_run_span() -> None:
    assert attributes(RUN_SPAN) == RUN_ATTRIBUTES
    assert name(RUN_SPAN) == "invoke_agent Math Tutor"


def test_the_generation_span() -> None:
    assert attributes(GENERATION) == GENERATION_ATTRIBUTES
    assert name(GENERATION) == "chat gpt-4o-mini"


def test_the_tool_span() -> None:
    data = span(SpanKind.TOOL, TOOL, "execute_tool", ApiError("server_error", "boom"))
    assert attributes(data) == {**TOOL_ATTRIBUTES, "error.type": "server_error"}
    assert name(data) == "execute_tool get_weather"


def test_one_convention_alone_says_what_is_known() -> None:
    """The log record of a generation has those of GenAI and no others."""
    alone = genai.attributes(GENERATION, 10_000)
    assert None not in alone.values()
    assert genai.REQUEST_MODEL in alone
    assert alone.items() <= attributes(GENERATION).items()


def test_tools_of_the_server() -> None:
    assert attributes(span(SpanKind.TOOL, ToolFacts(SERVER, CODE), "execute_tool")) == CODE_ATTRIBUTES
    search = ToolFacts(SERVER, SEARCH, data_source_id="vs_1")
    assert attributes(span(SpanKind.TOOL, search, "execute_tool")) == SEARCH_ATTRIBUTES


def test_a_search_that_found_much_leaves_room_for_other_attributes() -> None:
    many = replace(SEARCH, documents=tuple(Document(f"file-{i}", "f", 0.5, "text") for i in range(50)))
    found = attributes(span(SpanKind.TOOL, ToolFacts(SERVER, many), "execute_tool"))
    assert len(found) < 100
    assert len(json.loads(found["gen_ai.retrieval.documents"])) == 50


def test_what_was_cut_says_how_long_it_was() -> None:
    call = replace(TOOL.call, arguments="x" * 200, output="y" * 90, original_length={"output": 900})
    found = attributes_of(span(SpanKind.TOOL, ToolFacts(SERVER, call), "execute_tool"), 100)
    assert found["gen_ai.tool.call.arguments"] == "x" * 99 + "…"
    assert found["runspan.original_length.gen_ai.tool.call.arguments"] == 200
    assert found["runspan.original_length.gen_ai.tool.call.result"] == 900
    generation = attributes_of(GENERATION, 100)
    whole = len(GENERATION_ATTRIBUTES["gen_ai.input.messages"])
    assert generation["runspan.original_length.gen_ai.input.messages"] == whole
    assert "runspan.original_length.gen_ai.output.messages" not in generation


def test_of_ids_without_end_the_first_that_fit_together_stay() -> None:
    """Of the API's first version: who names the files is a server."""
    assert isinstance(RUN_SPAN.facts, RunFacts)
    assert RUN_SPAN.facts.run is not None
    run = replace(RUN_SPAN.facts.run, file_ids=tuple(f"file-{n:03}" for n in range(100)))
    found = attributes_of(replace(RUN_SPAN, facts=replace(RUN_SPAN.facts, run=run)), 100)
    assert found["runspan.run.file_ids"] == [f"file-{n:03}" for n in range(12)]  # 8 characters each
    run = replace(run, file_ids=("x" * 200, "y"))
    found = attributes_of(replace(RUN_SPAN, facts=replace(RUN_SPAN.facts, run=run)), 100)
    assert found["runspan.run.file_ids"] == ["x" * 99 + "…"]


def test_a_call_in_pieces_says_so() -> None:
    call = replace(TOOL.call, arguments='{"ci', is_incomplete=True)
    found = attributes(span(SpanKind.TOOL, ToolFacts(SERVER, call), "execute_tool"))
    assert found["runspan.tool.arguments.incomplete"] is True


def test_the_call_span() -> None:
    facts = CallFacts(SERVER, "thread_1", "run_1", "msg_1", Agent("asst_1", "Math Tutor"), "gpt-4o")
    data = span(SpanKind.CALL, facts, "create_agent")
    found = attributes(data)
    assert found.pop("openinference.span.kind") in ("CHAIN", "AGENT", "TOOL")
    assert found == {
        "gen_ai.operation.name": "create_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.agent.id": "asst_1",
        "gen_ai.agent.name": "Math Tutor",
        "gen_ai.conversation.id": "thread_1",
        "session.id": "thread_1",
        "runspan.run.id": "run_1",
        "runspan.message.id": "msg_1",
        "server.address": "api.test",
        "server.port": 8080,
    }
    assert name(data) == "create_agent Math Tutor"
    assert name(replace(data, operation="create_thread")) == "create_thread"


def test_tokens_stand_on_the_generation_span_alone() -> None:
    for data in (RUN_SPAN, span(SpanKind.TOOL, TOOL, "execute_tool")):
        assert not [k for k in attributes(data) if k.startswith(("gen_ai.usage", "llm.token_count"))]


def test_the_generation_span_has_no_plain_values_and_no_server() -> None:
    assert not [k for k in attributes(GENERATION) if k.startswith(("input.", "output.", "server."))]


def of_length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0


@pytest.mark.parametrize("total", [4_096, 10_000, 50_000])
def test_a_span_has_a_limit_of_its_own_and_the_longest_attributes_pay(total: int) -> None:
    long = (Message("m1", "user", (Part("text", "q" * 60_000),)),)
    facts = replace(FACTS, inputs=long, outputs=(replace(long[0], role="assistant"),))
    data = replace(GENERATION, facts=facts)
    whole = attributes_of(data, 100_000)
    found = attributes_of(data, 100_000, max_span_chars=total)
    assert total / 2 - 1_000 < sum(map(of_length, found.values())) <= total
    both = ("gen_ai.input.messages", "gen_ai.output.messages")
    for key in both:
        json.loads(found[key])
        assert found[f"runspan.original_length.{key}"] == len(whole[key])
    assert {k: v for k, v in found.items() if not k.endswith(both)} == {
        k: v for k, v in whole.items() if k not in both
    }


@seeds(50)
def test_the_longest_are_cut_to_the_most_that_there_is_room_for(seed: int) -> None:
    dice = random.Random(seed)
    sizes = [*sorted(dice.choice([0, 3, dice.randrange(40)]) for _ in range(dice.randrange(1, 8))), 40]
    total = dice.randrange(sum(sizes))
    fitting = [level for level in range(41) if sum(min(size, level) for size in sizes) <= total]
    assert _level(sizes, total) == max(fitting)


def test_a_span_within_its_limit_is_left_as_it_is() -> None:
    assert attributes_of(GENERATION, 10_000, max_span_chars=4_096) == attributes(GENERATION)
