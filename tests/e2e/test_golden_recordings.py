"""The golden traces and those of like recordings have the same spans with the same attributes.

So the fake's traffic makes the traces that real traffic makes. What differs is listed, and is in the recorded data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.recordings.folder import RECORDINGS, recordings, why_absent
from tests.support.golden import TRACES

if reason := why_absent():
    pytest.skip(reason, allow_module_level=True)

from tests.e2e.recordings.cases import Case
from tests.e2e.recordings.modes import MODES
from tests.e2e.recordings.oracle import usages

Shape = dict[str, set[str]]  # operation and tool -> names of its attributes

UNNAMED = {"invoke_agent - agent.name", "invoke_agent - gen_ai.agent.name"}  # their assistants
NAMELESS = UNNAMED | {"chat - gen_ai.system_instructions"}
NEW_THREAD = {"chat - runspan.input.incomplete"}  # made by the app itself, so nothing is older
ONE_STORE = {f"{span} + gen_ai.data_source.id" for span in ("invoke_agent", "execute_tool file_search")}

# recording -> (golden trace, what the recording has not (-) or has besides (+))
LIKE: dict[str, tuple[str, set[str]]] = {
    "dotnet_run_steps_code_interpreter_image": (  # its messages were never read
        "code_interpreter.polled",
        UNNAMED
        | {
            "invoke_agent - output.mime_type",
            "invoke_agent - output.value",
            "invoke_agent + runspan.run.missing",
        },
    ),
    "otel_streaming_code_interpreter_new_assistant": (  # its code printed nothing
        "code_interpreter.streamed",
        NEW_THREAD
        | {
            f"execute_tool code_interpreter - {name}"
            for name in ("gen_ai.tool.call.result", "output.mime_type", "output.value")
        },
    ),
    "dotnet_file_search_poll": ("file_search_included.polled", NAMELESS),
    "dotnet_file_search_streaming": ("file_search_included.streamed", NAMELESS | NEW_THREAD | ONE_STORE),
    "otel_poll_new_assistant": (  # its steps were never read
        "code_interpreter.polled",
        {"execute_tool code_interpreter", "invoke_agent + runspan.run.missing"},
    ),
    "azure_go_streaming_run_failed_rate_limit": (  # it failed before any step
        "failed_step.streamed",
        NEW_THREAD
        | {
            "execute_tool code_interpreter",
            "chat - gen_ai.output.messages",
            "invoke_agent + runspan.run.missing",
        }
        | {f"chat - gen_ai.usage.{kind}_tokens" for kind in ("cache_read.input", "reasoning.output")},
    ),
    "dotnet_run_basic_poll": ("images.polled", NAMELESS),  # in texts alone
    "dotnet_streaming_run": ("images.streamed", NAMELESS | NEW_THREAD),
    "dotnet_function_tools_poll": ("parallel_functions.polled", NAMELESS),
    "dotnet_streaming_tool_call": ("parallel_functions.streamed", NAMELESS | NEW_THREAD),
    "otel_v1_streaming_code_interpreter_logs": ("v1.streamed", NEW_THREAD | {"execute_tool retrieval"}),
    "ruby_streamed_run_message_incomplete": (  # limits set, an empty thread, a model of 2024
        "incomplete_tokens.streamed",
        NEW_THREAD
        | {
            "chat + gen_ai.request.max_tokens",
            "chat + runspan.request.max_prompt_tokens",
            "chat - gen_ai.input.messages",
            "chat - gen_ai.usage.cache_read.input_tokens",
            "chat - gen_ai.usage.reasoning.output_tokens",
            "chat - runspan.request.parallel_tool_calls",
            "invoke_agent - input.mime_type",
            "invoke_agent - input.value",
        },
    ),
}


def of_golden(trace: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield trace["attributes"]
    for child in trace.get("children", []):
        yield from of_golden(child)


def shape(all_attributes: Iterator[dict[str, Any]]) -> Shape:
    """Without cost, which is not in the traffic but in a price list."""
    found: Shape = {}
    for attributes in all_attributes:
        operation = attributes["gen_ai.operation.name"]
        if operation == "execute_tool":
            is_function = attributes["gen_ai.tool.type"] == "function"
            operation += " function" if is_function else f" {attributes['gen_ai.tool.name']}"
        names = {re.sub(r"documents\.\d+", "documents.N", name) for name in attributes if "cost" not in name}
        found.setdefault(operation, set()).update(names)
    return found


def differences(golden: Shape, recorded: Shape) -> Iterator[str]:
    for operation in sorted(golden.keys() | recorded.keys()):
        if operation not in golden or operation not in recorded:
            yield operation
            continue
        yield from (f"{operation} - {name}" for name in golden[operation] - recorded[operation])
        yield from (f"{operation} + {name}" for name in recorded[operation] - golden[operation])


@pytest.mark.parametrize("recording", LIKE)
def test_a_recorded_trace_is_like_the_golden_one(recording: str) -> None:
    path = RECORDINGS / f"{recording}.jsonl"
    if not path.is_file():
        pytest.skip(f"no {recording} among the recordings")
    name, expected = LIKE[recording]
    is_run = ("invoke_agent", "chat", "execute_tool")
    spans = [dict(span.attributes or {}) for span in Case(path, MODES[0]).traced().spans]
    told = (  # refused runs and calls that failed have no golden trace
        a
        for a in spans
        if a["gen_ai.operation.name"] in is_run
        and (a["gen_ai.operation.name"] != "invoke_agent" or "runspan.run.id" in a)
    )
    golden = json.loads((TRACES / f"{name}.json").read_text("utf-8"))
    assert set(differences(shape(of_golden(golden)), shape(told))) == expected


TOKENS = {  # of gen_ai.usage -> where Run.usage has it
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
    "cache_read.input_tokens": ("prompt_token_details", "cached_tokens"),
    "reasoning.output_tokens": ("completion_tokens_details", "reasoning_tokens"),
}


def number_at(value: Any, path: tuple[str, ...]) -> int:
    for key in path:
        value = value.get(key) or {}
    return value or 0


@pytest.mark.parametrize("recording", recordings(), ids=lambda path: path.stem)
def test_all_tokens_of_a_trace_are_those_of_its_runs(recording: Path) -> None:
    """Summed over all spans, whatever they are, each kind of token is what the final Run objects say."""
    case = Case(recording, MODES[0])
    spans = [dict(span.attributes or {}) for span in case.traced().spans]
    used = {name for span in spans for name in span if name.startswith("gen_ai.usage.")} - {
        "gen_ai.usage.cost"
    }
    assert used <= {f"gen_ai.usage.{kind}" for kind in TOKENS}
    final = usages(case.exchanges)
    for kind, path in TOKENS.items():
        seen = sum(span.get(f"gen_ai.usage.{kind}", 0) for span in spans)
        assert seen == sum(number_at(usage, path) for usage in final), kind
