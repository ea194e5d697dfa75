"""Our attributes held against Langfuse's table, key by key, with its preset and without."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.conventions import EXTRAS, attributes_of, genai
from runspan.conventions.backend_attributes import NONE
from runspan.core.model import ApiError, Outcome, SpanKind
from tests.conventions import test_attributes as plain
from tests.conventions.langfuse_table import TYPE_WORDS, Shown, shown
from tests.conventions.test_extras import FACTS, SPANS

INPUT = [
    {"role": "system", "parts": [{"type": "text", "content": "Teach."}]},
    {"role": "user", "parts": [{"type": "text", "content": "q1"}]},
    {"role": "user", "parts": [{"type": "text", "content": "q2"}]},
]
OUTPUT = [{"role": "assistant", "parts": [{"type": "text", "content": "a1"}], "finish_reason": "stop"}]
SETTINGS = {"temperature": 0.5, "top_p": 1.0}
RUN = Shown(type="agent", name="invoke_agent Math Tutor", input="q2", output="a1", session="thread_1")
GENERATION = Shown(
    type="generation",
    name="chat gpt-4o-mini",
    model="gpt-4o",
    usage={"input": 60, "input_cached_tokens": 40, "output": 12, "output_reasoning_tokens": 8},
    input=INPUT,
    output=OUTPUT,
    session="thread_1",
)
TOOL = Shown(type="tool", name="get_weather", input={"city": "Bern"}, output={"c": 22}, session="thread_1")
WITHOUT = {"run": RUN, "generation": GENERATION, "tool": TOOL}
WITH = {
    "run": dataclasses.replace(RUN, metadata={"k": "v"}),
    "generation": dataclasses.replace(
        GENERATION,
        usage={**GENERATION.usage, "total": 120},
        cost={"input": 0.00025, "output": 0.0002, "total": 0.00045},
        completion_start="2023-11-14T22:13:20.123Z",
    ),
    "tool": TOOL,
    "search": Shown(type="retriever", name="file_search", input={}, output=[], session="thread_1"),
    "call": Shown(type="span", name="create_message", session="thread_1"),
}


def seen(name: str, with_preset: bool, **status: Any) -> Shown:
    data = SPANS[name]
    extra = EXTRAS["langfuse"] if with_preset else NONE
    return shown(genai.name(data), attributes_of(data, 10_000, extra), **status)


@pytest.mark.parametrize("name", WITH)
def test_with_the_preset_each_field_is_what_it_should_be(name: str) -> None:
    found = seen(name, True)
    assert dataclasses.replace(found, parameters={}) == WITH[name]


@pytest.mark.parametrize("name", WITHOUT)
def test_without_the_preset_the_common_set_says_nearly_all(name: str) -> None:
    """Missing are the split of the cost, the first token, and metadata by key."""
    found = seen(name, False)
    assert dataclasses.replace(found, parameters={}, cost={}) == WITHOUT[name]


def test_the_models_parameters() -> None:
    assert seen("generation", True).parameters == {
        "reasoning_effort": "high",
        "response_format": "json_object",
        **SETTINGS,
        "max_completion_tokens": 64,
        "parallel_tool_calls": True,
        "max_prompt_tokens": 9,
        "tool_choice": "get_weather",
        "truncation_strategy": 3,
    }
    assert seen("generation", False).parameters.items() >= SETTINGS.items()


@pytest.mark.parametrize("with_preset", [True, False])
def test_tokens_and_money_stand_on_one_observation(with_preset: bool) -> None:
    found = [name for name in SPANS if seen(name, with_preset).usage or seen(name, with_preset).cost]
    assert found == ["generation"]


@pytest.mark.parametrize("with_preset", [True, False])
def test_buckets_add_up_to_the_total(with_preset: bool) -> None:
    """Langfuse adds all buckets up where no total is given."""
    usage = dict(seen("generation", with_preset).usage)
    total = usage.pop("total", 120)
    assert sum(usage.values()) == total == 120


@pytest.mark.parametrize("with_preset", [True, False])
def test_an_error_shows_by_the_spans_status(with_preset: bool) -> None:
    data = plain.span(SpanKind.RUN, FACTS, "invoke_agent", ApiError("server_error", "boom"))
    extra = EXTRAS["langfuse"] if with_preset else NONE
    found = shown(genai.name(data), attributes_of(data, 10_000, extra), error="boom")
    assert (found.level, found.status_message) == ("ERROR", "boom")


def test_an_incomplete_run_is_a_warning_with_the_preset() -> None:
    run = replace(
        plain.RUN, status="incomplete", outcome=Outcome.INCOMPLETE, incomplete_reason="max_prompt_tokens"
    )
    data = plain.span(SpanKind.RUN, replace(FACTS, run=run), "invoke_agent")
    with_it, without = (shown("", attributes_of(data, 10_000, e)) for e in (EXTRAS["langfuse"], NONE))
    assert (with_it.level, with_it.status_message) == ("WARNING", "incomplete: max_prompt_tokens")
    assert (without.level, without.status_message) == ("DEFAULT", None)


def test_environment_and_version_come_with_the_resource() -> None:
    found = seen("run", True, resource={"deployment.environment.name": "prod", "service.version": "7"})
    assert (found.environment, found.version) == ("prod", "7")


def test_every_kind_of_an_observed_span_is_a_type_that_langfuse_has() -> None:
    for kind, said in EXTRAS["langfuse"].kinds.items():
        assert TYPE_WORDS["langfuse.observation.type"][said["langfuse.observation.type"]] == kind
