"""The whole attribute dictionary of each kind of span."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runspan.conventions import attributes_of
from runspan.conventions.genai import name
from runspan.core.model import (
    ApiError,
    Assistant,
    CallFacts,
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
    assistant=Assistant("asst_1", "Math Tutor", "Teaches.", "gpt-4"),
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
    "gen_ai.output.type": "json",
    "gen_ai.system_instructions": '[{"type":"text","content":"Teach."}]',
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"q1"}]},'
    '{"role":"user","parts":[{"type":"text","content":"q2"}]}]',
    "runspan.input.omitted_messages": 3,
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"a1"}],"finish_reason":"stop"}]',
    "gen_ai.tool.definitions": '[{"type":"file_search","name":"file_search"}]',
}
TOOL = ToolFacts(
    SERVER, ToolCall("c1", "function", "get_weather", '{"city":"Bern"}', '{"c":22}'), "step_1", "thread_1"
)
TOOL_ATTRIBUTES = {
    "gen_ai.operation.name": "execute_tool",
    "openinference.span.kind": "TOOL",
    "gen_ai.conversation.id": "thread_1",
    "session.id": "thread_1",
    "gen_ai.tool.name": "get_weather",
    "gen_ai.tool.type": "function",
    "gen_ai.tool.call.id": "c1",
    "gen_ai.tool.call.arguments": '{"city":"Bern"}',
    "gen_ai.tool.call.result": '{"c":22}',
    "runspan.step.id": "step_1",
    "input.value": '{"city":"Bern"}',
    "input.mime_type": "application/json",
    "output.value": '{"c":22}',
    "output.mime_type": "application/json",
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


def test_the_call_span() -> None:
    facts = CallFacts(SERVER, "thread_1", "run_1", "msg_1", Assistant("asst_1", "Math Tutor"), "gpt-4o")
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
        assert not [k for k in attributes(data) if "usage" in k or "token" in k]


def test_the_generation_span_has_no_plain_values_and_no_server() -> None:
    assert not [k for k in attributes(GENERATION) if k.startswith(("input.", "output.", "server."))]
