"""What an app gives beside texts: variables of stored prompts, files and images in them and in outputs of tools."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.apis.responses.server import Scripted, message, response
from tests.support.tracing import Traced, attribute, messages, traced

OURS: dict[str, Any] = {"model": "gpt-4o", "background": True}
FILE = base64.b64encode(b"%PDF-1.7 " * 20).decode()
IMAGE = f"data:image/png;base64,{FILE}"


@pytest.fixture(autouse=True)
def answers(server: Scripted) -> None:
    server.creates(response("completed", message()))


def exported(trace: Traced) -> str:
    return json.dumps([dict(span.attributes or {}) for span in trace.spans()])


def test_the_variables_of_a_stored_prompt_are_its_input(client: Any) -> None:
    given = {"name": "Ann", "photo": {"type": "input_image", "image_url": IMAGE, "detail": "low"}}
    with traced() as trace:
        client.responses.create(prompt={"id": "pmpt_1", "version": "2", "variables": given}, background=True)
        (said,) = messages(trace.generation(), "input")
        assert FILE[:24] not in exported(trace)
    (part,) = said["parts"]
    assert (said["role"], part["prompt_variables"]) == ("user", True)
    told = json.loads(part["content"])
    assert told["name"] == "Ann"
    assert (told["photo"]["type"], told["photo"]["mime_type"]) == ("input_image", "image/png")


def test_variables_are_content(client: Any) -> None:
    asked = {"prompt": {"id": "pmpt_1", "variables": {"name": "Ann"}}, "input": "Who?", "background": True}
    with traced(redact=lambda kind, text: text.replace("Ann", "[name]")) as trace:
        client.responses.create(**asked)
        assert [m["parts"][0]["content"] for m in messages(trace.generation(), "input")] == [
            '{"name":"[name]"}',
            "Who?",
        ]
    with traced(capture_content=False) as trace:
        client.responses.create(**asked)
        assert "Ann" not in exported(trace)


@pytest.mark.parametrize(
    "output",
    [
        [
            {"type": "input_text", "text": "See."},
            {"type": "input_file", "filename": "a.pdf", "file_data": FILE[:60]},
        ],
        [{"type": "input_image", "image_url": IMAGE}],
    ],
)
def test_files_in_outputs_of_tools_are_told_without_their_bytes(client: Any, output: Any) -> None:
    with traced() as trace:
        client.responses.create(
            input=[{"type": "function_call_output", "call_id": "call_1", "output": output}], **OURS
        )
        (span,) = trace.spans()
        assert FILE[:24] not in exported(trace)
    (told,) = messages(span, "input")
    last = told["parts"][0]["response"][-1]
    assert last["type"] == output[-1]["type"]
    assert last["size_bytes"]
    assert attribute(span, "runspan.run.status") == "completed"


def test_arguments_may_be_objects(server: Scripted, client: Any) -> None:
    """Of servers that do not write them as JSON in a text."""
    asked: dict[str, Any] = {"call_id": "call_1", "name": "weather", "arguments": {"city": "Bern"}}
    used: dict[str, Any] = {
        "name": "roll",
        "arguments": {"dice": 2},
        "output": {"sum": 7},
        "status": "completed",
    }
    custom: dict[str, Any] = {"call_id": "call_2", "name": "run_sql", "input": {"sql": "select 1"}}
    items = [
        {"id": "fc_1", "type": "function_call", **asked},
        {"id": "mcp_1", "type": "mcp_call", **used},
        {"id": "ctc_1", "type": "custom_tool_call", **custom},
    ]
    server.creates(response("completed", *items), response("completed", message(), id="resp_2"))
    with traced() as trace:
        client.responses.create(input="?", **OURS)
        client.responses.create(
            input=[{"type": "function_call_output", "call_id": "call_1", "output": {"celsius": 22}}],
            previous_response_id="resp_1",
            **OURS,
        )
        roll, weather = sorted(trace.tools(), key=lambda tool: tool.name)
    told = [
        [json.loads(attribute(t, f"gen_ai.tool.call.{w}")) for w in ("arguments", "result")]
        for t in (roll, weather)
    ]
    assert told == [[{"dice": 2}, {"sum": 7}], [{"city": "Bern"}, {"celsius": 22}]]
    parts = [part for m in messages(trace.spans("chat")[0], "output") for part in m["parts"]]
    assert {"sql": "select 1"} in [part.get("arguments") for part in parts]
