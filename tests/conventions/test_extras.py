"""The same spans through each convention, whole values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.conventions import EXTRAS, attributes_of
from runspan.conventions.backend_attributes import NONE, BackendAttributes
from runspan.conventions.observed import KINDS
from runspan.core.model import (
    ApiError,
    CallFacts,
    Cost,
    Message,
    Outcome,
    Part,
    RunFacts,
    SpanData,
    SpanKind,
    ToolCall,
    ToolFacts,
    Usage,
)
from tests.conventions import test_attributes as plain

FACTS = replace(
    plain.FACTS,
    first_chunk_ns=1_700_000_000_123_456_789,
    cost=Cost(0.00025, 0.0002, 0.00045, "USD", "prices 1.0", "2026-11-01"),
)
SEARCH = ToolFacts(
    plain.SERVER, ToolCall("c2", "file_search", "file_search", "{}", "[]"), "step_2", "thread_1"
)
SPANS: Mapping[str, SpanData] = {
    "run": plain.span(SpanKind.RUN, FACTS, "invoke_agent"),
    "generation": plain.span(SpanKind.GENERATION, FACTS, "chat"),
    "tool": plain.span(SpanKind.TOOL, plain.TOOL, "execute_tool"),
    "search": plain.span(SpanKind.TOOL, SEARCH, "execute_tool"),
    "call": plain.span(SpanKind.CALL, CallFacts(plain.SERVER, "thread_1"), "create_message"),
    "store search": plain.span(SpanKind.CALL, CallFacts(plain.SERVER), "retrieval"),
}
LANGFUSE = "langfuse.observation"
MORE: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "langfuse": {
        "run": {f"{LANGFUSE}.type": "agent", f"{LANGFUSE}.metadata.k": "v"},
        "generation": {
            f"{LANGFUSE}.type": "generation",
            f"{LANGFUSE}.model.name": "gpt-4o",
            f"{LANGFUSE}.model.parameters": '{"reasoning_effort":"high","response_format":"json_object",'
            '"temperature":0.5,"top_p":1.0,"max_completion_tokens":64,"parallel_tool_calls":true,"max_prompt_tokens":9,'
            '"tool_choice":"get_weather","truncation_strategy":3}',
            f"{LANGFUSE}.usage_details": '{"input":60,"input_cached_tokens":40,"output":12,'
            '"output_reasoning_tokens":8,"total":120}',
            f"{LANGFUSE}.cost_details": '{"input":0.00025,"output":0.0002,"total":0.00045}',
            f"{LANGFUSE}.completion_start_time": "2023-11-14T22:13:20.123Z",
        },
        "tool": {f"{LANGFUSE}.type": "tool"},
        "search": {f"{LANGFUSE}.type": "retriever"},
        "call": {f"{LANGFUSE}.type": "span"},
        "store search": {f"{LANGFUSE}.type": "retriever"},
    },
    "mlflow": {
        "run": {"mlflow.spanType": "AGENT"},
        "generation": {
            "mlflow.spanType": "CHAT_MODEL",
            "mlflow.chat.tokenUsage": '{"input_tokens":100,"output_tokens":20,"total_tokens":120,'
            '"cache_read_input_tokens":40}',
            "mlflow.llm.cost": '{"input_cost":0.00025,"output_cost":0.0002,"total_cost":0.00045}',
            "mlflow.spanInputs": '{"messages":[{"role":"system","content":"Teach."},'
            '{"role":"user","content":"q1"},{"role":"user","content":"q2"}]}',
            "mlflow.spanOutputs": '{"choices":[{"index":0,"message":{"role":"assistant","content":"a1"},'
            '"finish_reason":"stop"}]}',
        },
        "tool": {"mlflow.spanType": "TOOL"},
        "search": {"mlflow.spanType": "RETRIEVER"},
        "call": {"mlflow.spanType": "TASK"},
        "store search": {"mlflow.spanType": "RETRIEVER"},
    },
    "phoenix": {
        "generation": {
            "llm.token_count.completion_details.reasoning": 8,
            "input.value": "q2",
            "input.mime_type": "text/plain",
            "output.value": "a1",
            "output.mime_type": "text/plain",
        }
    },
    "logfire": {"generation": {"operation.cost": 0.00045}},
}


def test_every_extra_convention_is_in_the_table() -> None:
    assert MORE.keys() == EXTRAS.keys()


@pytest.mark.parametrize("backend", EXTRAS)
@pytest.mark.parametrize("name", SPANS)
def test_a_preset_adds_what_its_backend_wants_and_changes_nothing(backend: str, name: str) -> None:
    common = attributes_of(SPANS[name], 10_000)
    whole = attributes_of(SPANS[name], 10_000, EXTRAS[backend])
    assert whole == {**common, **MORE[backend].get(name, {})}
    assert not common.keys() & MORE[backend].get(name, {}).keys()


# ---------------------------------------------------------------- one thing each


def more(backend: str, kind: SpanKind, **changes: Any) -> dict[str, Any]:
    data = plain.span(
        kind, replace(FACTS, **changes), "chat" if kind is SpanKind.GENERATION else "invoke_agent"
    )
    common = attributes_of(data, 10_000)
    return {k: v for k, v in attributes_of(data, 10_000, EXTRAS[backend]).items() if k not in common}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unfinished": "stream_closed"}, "unfinished: stream_closed"),
        (
            {
                "run": replace(
                    plain.RUN,
                    status="incomplete",
                    outcome=Outcome.INCOMPLETE,
                    incomplete_reason="max_completion_tokens",
                )
            },
            "incomplete: max_completion_tokens",
        ),
        (
            {"run": replace(plain.RUN, status="incomplete", outcome=Outcome.INCOMPLETE)},
            "incomplete: reason not told",
        ),
        ({"run": replace(plain.RUN, status="cancelled")}, None),
    ],
)
def test_an_end_that_was_not_asked_for_is_a_warning_in_langfuse(changes: Any, message: str | None) -> None:
    found = more("langfuse", SpanKind.RUN, **changes)
    assert found.get(f"{LANGFUSE}.status_message") == message
    assert found.get(f"{LANGFUSE}.level") == (message and "WARNING")


@pytest.mark.parametrize("backend", ["langfuse", "mlflow"])
def test_costs_in_another_currency_are_not_told_as_dollars(backend: str) -> None:
    euros = {"cost": Cost(1.0, 1.0, 2.0, "EUR")}
    assert not [key for key in more(backend, SpanKind.GENERATION, **euros) if "cost" in key]
    common = attributes_of(plain.span(SpanKind.GENERATION, replace(FACTS, **euros), "chat"), 10_000)
    assert {key: value for key, value in common.items() if "cost" in key} == {
        "runspan.cost.total": 2.0,
        "runspan.cost.currency": "EUR",
    }


@pytest.mark.parametrize("backend", EXTRAS)
def test_without_usage_and_cost_nothing_is_said_of_them(backend: str) -> None:
    found = more(backend, SpanKind.GENERATION, run=replace(plain.RUN, usage=None), cost=None)
    assert not [key for key in found if "cost" in key or "usage" in key.lower() or "token" in key]


def test_a_total_that_is_smaller_than_its_parts_makes_no_negative_bucket() -> None:
    run = replace(plain.RUN, usage=Usage(10, 2, 40, 8))
    usage = json.loads(more("langfuse", SpanKind.GENERATION, run=run)[f"{LANGFUSE}.usage_details"])
    assert usage == {
        "input": 0,
        "input_cached_tokens": 40,
        "output": 0,
        "output_reasoning_tokens": 8,
        "total": 12,
    }


@pytest.mark.parametrize("backend", EXTRAS)
def test_nothing_captured_is_nothing_said(backend: str) -> None:
    found = more(backend, SpanKind.GENERATION, captured=False)
    content = ("Inputs", "Outputs", "tools", "value")
    assert not [key for key in found if any(word in key for word in content)]


def asks(id_: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": id_, "type": "function", "function": function}],
    }


def test_the_chat_of_mlflow_keeps_images_tool_calls_and_tools() -> None:
    picture = Part("image_url", None, {"url": "https://x.test/a.png", "detail": "auto"})
    file = Part("image_file", None, {"file_id": "f1"})
    weather = ToolCall("c1", "function", "get_weather", '{"city":"Bern"}', "22 C")
    code = ToolCall("c2", *("code_interpreter",) * 2, "1+1", outputs=(Part("logs", "2"),))
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
    found = more(
        "mlflow",
        SpanKind.GENERATION,
        instructions=(),
        inputs=(Message("m1", "user", (Part("text", "Look:"), picture, file)),),
        outputs=(
            Message(
                "",
                "assistant",
                tuple(Part(t, call=code) for t in ("server_tool_call", "server_tool_call_response")),
            ),
            Message("m2", "assistant", (Part("text", "a"), Part("refusal", "no"))),
            Message("", "assistant", (Part("tool_call", call=weather),)),
            Message("", "tool", (Part("tool_call_response", call=weather),)),
        ),
        finish_reason="tool_call",
        run=replace(plain.RUN, tools=({"type": "file_search"}, tool)),
    )
    assert json.loads(found["mlflow.spanInputs"])["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                {"type": "text", "text": "[image_file]"},
            ],
        }
    ]
    assert [choice["message"] for choice in json.loads(found["mlflow.spanOutputs"])["choices"]] == [
        asks("c2", "code_interpreter", '{"code":"1+1"}'),
        {"role": "tool", "tool_call_id": "c2", "content": '[{"type":"logs","logs":"2"}]'},
        {"role": "assistant", "content": "a\nno"},
        asks("c1", "get_weather", '{"city":"Bern"}'),
        {"role": "tool", "tool_call_id": "c1", "content": "22 C"},
    ]
    assert json.loads(found["mlflow.chat.tools"]) == [tool]


def test_a_response_that_asks_for_a_function_and_the_one_that_has_its_answer_are_shown() -> None:
    weather = ToolCall("c1", "function", "get_weather", '{"city":"Bern"}', "22 C")
    asked = (Message("", "assistant", (Part("tool_call", call=weather),)),)
    answered = (Message("", "tool", (Part("tool_call_response", call=weather),)),)
    found = more("phoenix", SpanKind.MODEL_CALL, inputs=answered, outputs=asked)
    assert (found["input.value"], found["output.value"]) == ("22 C", 'get_weather({"city":"Bern"})')
    found = more("mlflow", SpanKind.MODEL_CALL, instructions=(), inputs=(*asked, *answered), outputs=())
    assert json.loads(found["mlflow.spanInputs"])["messages"] == [
        asks("c1", "get_weather", '{"city":"Bern"}'),
        {"role": "tool", "tool_call_id": "c1", "content": "22 C"},
    ]


def test_mlflow_has_both_kinds_of_cached_tokens() -> None:
    run = replace(plain.RUN, usage=Usage(100, 20, 40, None, 16))
    assert json.loads(more("mlflow", SpanKind.MODEL_CALL, run=run)["mlflow.chat.tokenUsage"]) == {
        "input_tokens": 100,
        "output_tokens": 20,
        "total_tokens": 120,
        "cache_read_input_tokens": 40,
        "cache_creation_input_tokens": 16,
    }


@pytest.mark.parametrize("max_chars", [64, 100, 300, 1_000])
@pytest.mark.parametrize("backend", EXTRAS)
def test_what_is_too_long_is_cut_and_stays_json(backend: str, max_chars: int) -> None:
    long = Message("m1", "user", (Part("text", "ü" * 5_000),))
    data = plain.span(SpanKind.GENERATION, replace(FACTS, inputs=(long, long), outputs=(long,)), "chat")
    for key, value in attributes_of(data, max_chars, EXTRAS[backend]).items():
        if isinstance(value, str):
            assert len(value) <= max_chars
            if key.startswith("mlflow.span") and value[:1] == "{":
                json.loads(value)


@pytest.mark.parametrize("backend", EXTRAS)
def test_a_run_that_never_began_is_no_trouble(backend: str) -> None:
    facts = RunFacts(plain.SERVER, plain.FACTS.request)
    for kind in (SpanKind.RUN, SpanKind.GENERATION):
        data = plain.span(kind, facts, "invoke_agent", ApiError("not_found"))
        assert attributes_of(data, 1_000, EXTRAS[backend])["error.type"] == "not_found"


@pytest.mark.parametrize("backend", ["langfuse", "mlflow"])
def test_every_kind_of_an_observed_span_has_its_word(backend: str) -> None:
    assert EXTRAS[backend].kinds.keys() == KINDS.keys()


METADATA: dict[str, object] = {"team": "a", "ids": [1, None], "none": None, "on": True}
EACH = {"team": "a", "ids": "[1,null]", "on": "true"}


def test_what_a_context_says_has_its_names_in_langfuse() -> None:
    said: dict[str, Any] = {"tag.tags": ["x"], "runspan.trace.name": "turn", "user.id": "u"}
    trace = {f"langfuse.trace.metadata.{key}": value for key, value in EACH.items()}
    names = {"langfuse.trace.tags": ["x"], "langfuse.trace.name": "turn"}
    assert EXTRAS["langfuse"].of_context(said, METADATA) == {**names, **trace}
    assert EXTRAS["langfuse"].of_context({}, {}) == {}
    span = {f"{LANGFUSE}.metadata.{key}": value for key, value in EACH.items()}
    assert EXTRAS["langfuse"].of_metadata(METADATA) == span


@pytest.mark.parametrize("extra", [NONE, *(EXTRAS[name] for name in ("mlflow", "phoenix", "logfire"))])
def test_other_backends_read_the_common_names(extra: BackendAttributes) -> None:
    assert (extra.of_context({"tag.tags": ["x"]}, METADATA), extra.of_metadata(METADATA)) == ({}, {})


def test_an_extra_of_names_alone_adds_nothing_to_a_run() -> None:
    common = attributes_of(SPANS["run"], 10_000)
    assert attributes_of(SPANS["run"], 10_000, BackendAttributes(metadata="x")) == common


def test_metadata_leaves_room_for_other_attributes_and_may_be_a_text() -> None:
    many = {"none": None, **{str(n): "v" for n in range(200)}}
    found = EXTRAS["langfuse"].of_metadata(many)
    assert list(found) == [f"{LANGFUSE}.metadata.{n}" for n in range(64)]
    assert EXTRAS["langfuse"].of_metadata("could not be shown") == {}  # type: ignore[arg-type]


def test_keys_of_metadata_can_be_encoded() -> None:
    run = replace(plain.RUN, metadata={"a\ud800": "b\ud800"})
    found = more("langfuse", SpanKind.RUN, run=run)
    assert found[f"{LANGFUSE}.metadata.a?"] == "b?"
