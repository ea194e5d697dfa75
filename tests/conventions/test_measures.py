"""What is measured of a run: whole tables of (instrument, value, attributes), and what is never among them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.conventions import measures
from runspan.conventions.measures import of_run, of_unrecorded
from runspan.core.model import (
    Agent,
    ApiError,
    CallFacts,
    Cost,
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
from tests.core.words import S

ALL = [one for one in vars(measures).values() if isinstance(one, measures.Instrument)]
SERVER = Server("http://api.test/v1", "api.test", 8080, "openai")
FACTS = RunFacts(
    server=SERVER,
    request=RunRequest("gpt-4o", "asst_1"),
    run=Run(
        "run_1",
        "thread_1",
        "completed",
        agent_id="asst_1",
        model="gpt-4o-2024-08-06",
        usage=Usage(100, 20, 40, 8),
    ),
    agent=Agent("asst_1", "Math Tutor"),
    queue_s=1.0,
    active_s=3.5,
    tool_wait_s=0.5,
    detection_lag_s=0.25,
    end_uncertainty_s=0.1,
    cost=Cost(0.5, 0.25, 0.75),
)
BASE = {
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.agent.name": "Math Tutor",
    "server.address": "api.test",
    "server.port": 8080,
}
ANSWERED = {**BASE, "gen_ai.response.model": "gpt-4o-2024-08-06"}
INVOKED = {**ANSWERED, "gen_ai.operation.name": "invoke_agent"}


def span(facts: RunFacts = FACTS, **fields: Any) -> SpanData:
    return SpanData(SpanKind.RUN, "invoke_agent", 10 * S, 15 * S, facts, **fields)


def tool(name: str | None = "get_weather", type_: str = "function", **fields: Any) -> SpanData:
    facts = ToolFacts(SERVER, ToolCall("call_1", type_, name), "step_1", "thread_1")
    return SpanData(SpanKind.TOOL, "execute_tool", 11 * S, 13 * S, facts, **fields)


def measured(data: SpanData) -> list[tuple[str, float, dict[str, Any]]]:
    return [(instrument.name, value, dict(attributes)) for instrument, value, attributes in of_run(data)]


def names(data: SpanData) -> list[str]:
    return [name for name, _, _ in measured(data)]


def of(data: SpanData, name: str) -> tuple[float, dict[str, Any]]:
    ((_, value, attributes),) = [found for found in measured(data) if found[0] == name]
    return value, attributes


def test_a_whole_run() -> None:
    generation = SpanData(SpanKind.GENERATION, "chat", 11 * S, 15 * S, FACTS)
    assert measured(span(children=(generation, tool()))) == [
        ("runspan.runs", 1, {**BASE, "runspan.run.status": "completed"}),
        ("gen_ai.client.operation.duration", 5.0, INVOKED),
        ("runspan.run.queue_time", 1.0, BASE),
        ("runspan.run.tool_wait", 0.5, BASE),
        ("runspan.run.detection_lag", 0.25, BASE),
        ("gen_ai.client.token.usage", 100, {**INVOKED, "gen_ai.token.type": "input"}),
        ("gen_ai.client.token.usage", 20, {**INVOKED, "gen_ai.token.type": "output"}),
        ("runspan.run.cost", 0.75, {**ANSWERED, "runspan.cost.currency": "USD"}),
        (
            "gen_ai.execute_tool.duration",
            2.0,
            {
                "gen_ai.tool.name": "get_weather",
                "gen_ai.tool.type": "function",
                "gen_ai.agent.name": "Math Tutor",
            },
        ),
    ]


def test_the_instruments_are_those_of_the_table() -> None:
    lacking = span(replace(FACTS, missing=("steps",)), children=(tool(),))
    assert {*names(lacking), "runspan.dropped"} == {one.name for one in ALL}


def test_what_a_run_lacks_is_counted_each() -> None:
    found = [
        m for m in of_run(span(replace(FACTS, missing=("messages", "steps")))) if m[0] is measures.MISSING
    ]
    assert [(value, of[measures.LACKS]) for _, value, of in found] == [(1, "messages"), (1, "steps")]
    assert not [m for m in of_run(span()) if m[0] is measures.MISSING]


def test_the_page_has_every_instrument_with_kind_unit_and_attributes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
    rows = {row[1].strip("` "): row for line in page.splitlines() if len(row := line.split("|")) == 6}
    groups = {"*run*": BASE, "*answer*": {"gen_ai.response.model": ""}}
    everything = [
        *of_run(span(replace(FACTS, unfinished="evicted"), children=(tool(),), error=ApiError("e"))),
        *of_run(span(children=(tool(error=ApiError("e")),))),
        *of_run(span(replace(FACTS, missing=("steps",)))),
    ]
    for one in ALL:
        row = rows[one.name]
        kind = "histogram" if one.buckets else "counter"
        assert f"{kind}, {one.unit}".replace(" {", " `{").replace("}", "}`") in row[2]
        told = set(re.findall(r"`([a-z_.]+\.[a-z_.]+)`", row[4]))
        for group, keys in groups.items():
            told |= set(keys) if group in row[4] else set()
        assert told == {key for i, _, of in everything if i is one for key in of} | (
            {measures.CAUSE} if one is measures.DROPPED else set()
        )


def test_no_id_is_ever_an_attribute() -> None:
    for data in (
        span(children=(tool(),)),
        span(elsewhere=(tool(),), error=ApiError("server_error", "run_1")),
    ):
        for _, _, attributes in measured(data):
            assert not [key for key in attributes if key.endswith(".id")]
            assert not {"run_1", "thread_1", "asst_1", "call_1", "step_1"} & set(
                map(str, attributes.values())
            )


def test_a_failed_run_has_its_error_on_count_and_duration() -> None:
    run = replace(FACTS.run, status="failed", usage=None)  # type: ignore[type-var]
    data = span(replace(FACTS, run=run, cost=None), error=ApiError("rate_limit_exceeded", "text of a user"))
    error = {"error.type": "rate_limit_exceeded"}
    assert of(data, "runspan.runs") == (1, {**BASE, **error, "runspan.run.status": "failed"})
    assert of(data, "gen_ai.client.operation.duration") == (5.0, {**INVOKED, **error})
    assert "gen_ai.client.token.usage" not in names(data)
    assert "text of a user" not in str(measured(data))


@pytest.mark.parametrize("reason", ["stream_closed", "expired_unseen", "evicted", "shutdown"])
def test_an_unfinished_run_counts_under_its_reason(reason: str) -> None:
    run = replace(FACTS.run, status="in_progress", usage=None)  # type: ignore[type-var]
    data = span(replace(FACTS, run=run, unfinished=reason, detection_lag_s=None, cost=None))
    assert of(data, "runspan.runs") == (1, {**BASE, "runspan.run.status": reason})
    assert of(data, "gen_ai.client.operation.duration") == (
        5.0,
        {**INVOKED, "runspan.run.unfinished": reason},
    )
    assert "runspan.run.detection_lag" not in names(data)


def test_a_post_that_gave_no_run_is_counted_as_not_started() -> None:
    facts = RunFacts(SERVER, RunRequest("gpt-4o"), Run("", "thread_1"))
    data = span(facts, error=ApiError("429"))
    base = {key: value for key, value in BASE.items() if key != "gen_ai.agent.name"}
    assert measured(data) == [
        ("runspan.runs", 1, {**base, "error.type": "429", "runspan.run.status": "not_started"}),
        (
            "gen_ai.client.operation.duration",
            5.0,
            {**base, "error.type": "429", "gen_ai.operation.name": "invoke_agent"},
        ),
    ]


def test_a_run_that_never_waited_for_tools_is_not_in_their_histogram() -> None:
    assert "runspan.run.tool_wait" not in names(span(replace(FACTS, tool_wait_s=0.0)))
    assert of(span(replace(FACTS, queue_s=0.0)), "runspan.run.queue_time") == (0.0, BASE)


def test_tools_whose_span_is_the_apps_own_function_are_measured_too() -> None:
    data = span(
        children=(tool("code_interpreter", "code_interpreter", error=ApiError("server_error")),),
        elsewhere=(tool(),),
    )
    found = [attributes for name, _, attributes in measured(data) if name == "gen_ai.execute_tool.duration"]
    agent = {"gen_ai.agent.name": "Math Tutor"}
    assert found == [
        {
            **agent,
            "gen_ai.tool.name": "code_interpreter",
            "gen_ai.tool.type": "extension",
            "error.type": "server_error",
        },
        {**agent, "gen_ai.tool.name": "get_weather", "gen_ai.tool.type": "function"},
    ]


def test_what_is_not_known_is_left_out() -> None:
    server = Server("unix", None, None, "openai")
    facts = RunFacts(server, RunRequest(), Run("run_1", "thread_1", "completed"))
    assert of(span(facts), "runspan.runs") == (
        1,
        {"gen_ai.provider.name": "openai", "runspan.run.status": "completed"},
    )
    unnamed = span(facts, children=(tool(None),))
    assert of(unnamed, "gen_ai.execute_tool.duration") == (2.0, {"gen_ai.tool.type": "function"})


def test_an_unrecorded_run_is_counted_and_nothing_else() -> None:
    facts = RunFacts(SERVER, RunRequest("gpt-4o", "asst_1"), agent=Agent("asst_1", "Math Tutor"))
    ((instrument, value, attributes),) = of_unrecorded(span(facts))
    assert (instrument.name, value) == ("runspan.runs", 1)
    assert attributes == {**BASE, "runspan.run.status": "unrecorded"}


def test_calls_are_not_measured() -> None:
    call = SpanData(SpanKind.CALL, "create_thread", 0, S, CallFacts(SERVER))
    generation = SpanData(SpanKind.GENERATION, "chat", 0, S, FACTS)
    assert (measured(call), measured(generation), list(of_unrecorded(call))) == ([], [], [])


def test_a_clock_that_ran_backwards_measures_nothing_below_zero() -> None:
    data = SpanData(SpanKind.RUN, "invoke_agent", 2 * S, S, FACTS)
    assert of(data, "gen_ai.client.operation.duration")[0] == 0.0


def test_units_and_buckets_are_those_of_the_conventions() -> None:
    units = {one.name: one.unit for one in ALL if one.name.startswith("gen_ai.")}
    assert units == {
        "gen_ai.client.operation.duration": "s",
        "gen_ai.client.token.usage": "{token}",
        "gen_ai.execute_tool.duration": "s",
    }
    assert tuple(round(0.01 * 2**n, 2) for n in range(14)) == measures.SECONDS
    assert tuple(4**n for n in range(14)) == measures.TOKENS
