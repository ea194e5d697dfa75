"""Other senders' spans, as their SDKs write them, read into the same kinds, messages, tokens and tools."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runspan.viewer import conversation
from runspan.viewer.dialects import HINTS, normal
from runspan.viewer.kinds import word
from runspan.viewer.spans import Span
from runspan.viewer.store import RunFilter, Store, rows
from runspan.viewer.tree import to_text

from .hand_made import ODD_VALUES, operation, span
from .wire import PROTOBUF, export

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a river"}]
ANSWERED = {"role": "assistant", "content": "Rhine"}

# sender -> the attributes of one model call
CALLS: dict[str, dict[str, Any]] = {
    "GenAI": operation("chat", {
        "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 3,
        "gen_ai.input.messages": json.dumps([{"role": m["role"], "parts": [{"type": "text"} | m]} for m in ASKED]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Rhine"}]}]),
    })["attributes"],
    "Langfuse": {
        "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
        "langfuse.observation.input": json.dumps(ASKED), "langfuse.observation.output": json.dumps(ANSWERED),
        "langfuse.observation.usage_details": json.dumps({"input": 9, "output": 3, "total": 12}),
        "langfuse.observation.cost_details": json.dumps({"total": 0.5}),
    },
    "OpenLLMetry": {
        "llm.request.type": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be brief.", "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "Name a river",
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Rhine",
        "gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 3,
    },
    "OpenInference": {
        "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 9, "llm.token_count.completion": 3,
        "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": "Be brief.",
        "llm.input_messages.1.message.role": "user", "llm.input_messages.1.message.content": "Name a river",
        "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "Rhine",
    },
    "Logfire": {
        "request_data": json.dumps({"model": "gpt-4o", "messages": ASKED}), "response_data": json.dumps({"message": ANSWERED}),
        "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 3,
    },
    "Vercel AI": {
        "ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "gpt-4o", "ai.prompt.messages": json.dumps(ASKED),
        "ai.response.text": "Rhine", "ai.usage.promptTokens": 9, "ai.usage.completionTokens": 3,
    },
    "MLflow": {
        "mlflow.spanType": "CHAT_MODEL", "mlflow.spanInputs": json.dumps({"model": "gpt-4o", "messages": ASKED}),
        "mlflow.spanOutputs": json.dumps({"choices": [{"message": ANSWERED}]}), "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 3,
    },
}  # fmt: skip


def stored(tmp_path: Any, *spans: Span) -> Store:
    store = Store(tmp_path / "traces.db")
    store.add(rows.traces(export(*spans), PROTOBUF)).result(10)
    return store


@pytest.mark.parametrize("sender", CALLS)
def test_a_model_call_of_every_sender_says_the_same(tmp_path: Any, sender: str) -> None:
    one = span(1, 0, "call", 0, 10, attributes=CALLS[sender])
    read = normal(one)
    assert word(read)[0] == "llm"
    asked = [(said.role, said.text) for said in conversation.given(read.attributes)]
    assert asked == [("system", "Be brief."), ("user", "Name a river")]
    assert [said.text for said in conversation.answered(read.attributes)] == ["Rhine"]
    with stored(tmp_path, one) as store:
        (run,) = store.runs(RunFilter())
        assert (run.sort, run.model, run.question, run.answer) == ("llm", "gpt-4o", "Name a river", "Rhine")
        assert (run.input_tokens, run.output_tokens, run.cost) == (
            9,
            3,
            0.5 if sender == "Langfuse" else None,
        )
        assert store.spans(one.trace_id) == [one]  # as it was sent
    drawn = to_text([one], width=100)
    assert "llm call" in drawn
    assert "Name a river" in drawn
    assert "Rhine" in drawn


@pytest.mark.parametrize(
    ("attributes", "kind", "name"),
    [
        ({"langfuse.observation.type": "tool", "langfuse.observation.input": '{"q": 1}'}, "tool", ""),
        ({"langfuse.observation.type": "agent"}, "run", ""),
        ({"langfuse.observation.type": "span"}, "chain", ""),
        ({"traceloop.span.kind": "workflow", "traceloop.entity.name": "w"}, "flow", ""),
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "search"}, "tool", "search"),
        ({"traceloop.span.kind": "agent", "traceloop.entity.name": "boss"}, "run", "boss"),
        ({"ai.toolCall.name": "weather", "ai.toolCall.args": "{}"}, "tool", "weather"),
        ({"mlflow.spanType": "RETRIEVER"}, "find", ""),
        ({"langsmith.span.kind": "chain"}, "chain", ""),
    ],
)
def test_kinds_of_other_senders(attributes: dict[str, Any], kind: str, name: str) -> None:
    read = normal(span(1, 0, "x", 0, 1, attributes=attributes))
    assert word(read)[0] == kind
    assert (read.attributes.get("gen_ai.tool.name") or read.attributes.get("gen_ai.agent.name") or "") == name


def test_our_own_words_win_and_plain_spans_are_left_alone() -> None:
    plain = span(1, 0, "GET /", 0, 1, attributes={"http.request.method": "GET"})
    assert normal(plain) is plain
    both = {"langfuse.observation.type": "tool", "gen_ai.operation.name": "chat", "langfuse.observation.model.name": "a",
            "gen_ai.request.model": "b"}  # fmt: skip
    read = normal(span(1, 0, "x", 0, 1, attributes=both))
    assert (word(read)[0], read.attributes["gen_ai.request.model"]) == ("llm", "b")


def test_calls_of_tools_in_chat_messages() -> None:
    said = [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
    ]
    found = conversation.given({"gen_ai.input.messages": json.dumps(said)})
    assert [(part.kind, part.name, part.text, part.id) for one in found for part in one.parts] == [
        ("tool_call", "f", '{"a":1}', "c1"),
        ("tool_result", "", "2", "c1"),
    ]


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: repr(value)[:20])
def test_values_of_any_type_are_no_trouble(value: Any) -> None:
    keys = [f"{hint}x" if hint.endswith(".") else hint for hint in HINTS]
    keys += [
        "langfuse.observation.input",
        "langfuse.observation.usage_details",
        "mlflow.spanInputs",
        "ai.prompt.messages",
    ]
    for kind in ("generation", "tool", "agent"):
        attributes = dict.fromkeys(keys, value) | {"langfuse.observation.type": kind}
        read = normal(span(1, 0, "x", 0, 1, attributes=attributes))
        conversation.given(read.attributes)
        conversation.answered(read.attributes)
        rows.row(read, b"", "", b"")
