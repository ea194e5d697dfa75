"""Spans with little, odd or hostile data."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runspan.conventions import attributes_of
from runspan.conventions.genai import name
from runspan.core.model import (
    Agent,
    ApiError,
    CallFacts,
    Run,
    RunFacts,
    RunRequest,
    SpanKind,
    ToolCall,
    ToolFacts,
)
from tests.conventions.test_attributes import FACTS, GENERATION, RUN, RUN_SPAN, SERVER, attributes, span


@pytest.mark.parametrize("kind", [SpanKind.RUN, SpanKind.GENERATION])
def test_a_refused_or_unread_run_has_what_was_asked_for(kind: SpanKind) -> None:
    facts = RunFacts(
        SERVER, FACTS.request, Run("", "thread_1"), FACTS.agent, captured=False, unfinished="unread"
    )
    found = attributes(span(kind, facts, "invoke_agent", ApiError("boom")))
    assert (found["error.type"], found["gen_ai.conversation.id"]) == ("boom", "thread_1")
    assert "gen_ai.response.id" not in found
    assert "runspan.run.id" not in found


def test_names_without_a_subject_are_the_operation() -> None:
    bare = RunFacts(SERVER, RunRequest(), Run("r", "t"))
    assert [
        name(span(k, bare, o)) for k, o in ((SpanKind.RUN, "invoke_agent"), (SpanKind.GENERATION, "chat"))
    ] == [*("invoke_agent", "chat")]
    assert name(span(SpanKind.TOOL, ToolFacts(SERVER, ToolCall("c1")), "execute_tool")) == "execute_tool"


@pytest.mark.parametrize(
    ("kind", "tool_type", "openinference"),
    [
        ("code_interpreter", "extension", "TOOL"),
        ("file_search", "datastore", "RETRIEVER"),
        ("retrieval", "datastore", "RETRIEVER"),
    ],
)
def test_tools_of_the_server_have_their_kinds(kind: str, tool_type: str, openinference: str) -> None:
    found = attributes(span(SpanKind.TOOL, ToolFacts(SERVER, ToolCall("c1", kind, kind)), "execute_tool"))
    assert (found["gen_ai.tool.type"], found["openinference.span.kind"]) == (tool_type, openinference)


def test_what_is_no_json_does_not_say_that_it_is() -> None:
    call = ToolCall("c1", "code_interpreter", "code_interpreter", "print(1)", "22 C")
    found = attributes(span(SpanKind.TOOL, ToolFacts(SERVER, call), "execute_tool"))
    assert (found["input.mime_type"], found["output.mime_type"]) == ("text/plain", "text/plain")


def test_every_text_is_within_the_limit_and_can_be_encoded() -> None:
    bad = "x\ud800" * 100
    run = replace(
        RUN,
        id=bad,
        conversation_id=bad,
        status=bad,
        model=bad,
        metadata={bad: bad},
        settings={"reasoning_effort": bad},
    )
    agent = Agent(bad, bad, bad, bad)
    facts = replace(FACTS, run=run, agent=agent, unfinished=None, request=RunRequest(bad, bad))
    call = CallFacts(SERVER, bad, bad, bad, agent, bad)
    tool = ToolFacts(SERVER, ToolCall(bad, bad, bad, bad, bad), bad, bad)
    for data in (
        *(replace(RUN_SPAN, facts=facts), replace(GENERATION, facts=facts)),
        *(
            span(SpanKind.CALL, call, "create_agent", ApiError(bad, bad)),
            span(SpanKind.TOOL, tool, "execute_tool"),
        ),
    ):
        name(data).encode("utf-8")
        for value in attributes_of(data, 64).values():
            if isinstance(value, str):
                value.encode("utf-8")
                assert len(value) <= 64
