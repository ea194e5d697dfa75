"""What a response holds, in every field that an app or a model can fill: where it may be, and where never."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from tests.apis.responses.server import RESPONSE, Scripted, message, response
from tests.support.tracing import Traced, attribute, traced

PIXELS = base64.b64encode(b"\x89PNG" + bytes(range(256)) * 8).decode()
SHORT_PIXELS = base64.b64encode(b"\x89PNG" + bytes(range(40))).decode()
SECRETS = ("mark-secret-header", "mark-secret-authorization")


def marked() -> tuple[dict[str, Any], dict[str, Any]]:
    """A request and its response, with a text of its own in each place that is content."""
    n = iter(range(1_000))

    def mark(where: str) -> str:
        return f"mark-{where}-{next(n)}"

    function = {
        "type": "function",
        "name": "weather",
        "description": mark("description"),
        "parameters": {"type": "object", "properties": {"city": {"description": mark("parameter")}}},
    }
    server = {
        "type": "mcp",
        "server_label": "dice",
        "server_description": mark("server"),
        "headers": {"X-Key": SECRETS[0]},
        "authorization": SECRETS[1],
    }
    asked = {
        "model": "gpt-4o",
        "background": True,
        "instructions": mark("instructions"),
        "metadata": {"k": mark("metadata")},
        "tools": [function, server],
        "input": [
            {"role": "developer", "content": mark("developer")},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": mark("text")},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PIXELS}"},
                    {"type": "input_image", "image_url": f"https://x.test/{mark('image')}.png"},
                    {"type": "input_file", "filename": mark("filename"), "file_data": SHORT_PIXELS},
                    {"type": "input_audio", "input_audio": {"data": PIXELS, "format": "wav"}},
                    {"type": "input_smell", "scent": mark("unknown")},
                ],
            },
            {
                "type": "function_call",
                "call_id": "c1",
                "name": "weather",
                "arguments": f'{{"q":"{mark("call")}"}}',
            },
            {"type": "function_call_output", "call_id": "c1", "output": mark("output")},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": mark("reasoning")}]},
        ],
    }
    output = [
        {"id": "rs", "type": "reasoning", "summary": [{"type": "summary_text", "text": mark("thought")}]},
        {"id": "ws", "type": "web_search_call", "status": "completed",
         "action": {"type": "search", "query": mark("query"), "sources": [{"url": mark("source")}]}},
        {"id": "fs", "type": "file_search_call", "status": "completed", "queries": [mark("question")],
         "results": [{"file_id": "f", "filename": mark("hit"), "score": 0.5, "text": mark("hit_text")}]},
        {"id": "ci", "type": "code_interpreter_call", "status": "completed", "code": mark("code"),
         "outputs": [{"type": "logs", "logs": mark("logs")}, {"type": "image", "url": f"data:image/png;base64,{PIXELS}"}]},
        {"id": "ig", "type": "image_generation_call", "status": "completed", "result": PIXELS,
         "revised_prompt": mark("prompt"), "output_format": "png"},
        {"id": "ig2", "type": "image_generation_call", "status": "completed", "result": SHORT_PIXELS},
        {"id": "mcp", "type": "mcp_call", "server_label": "dice", "name": "roll", "arguments": f'{{"d":"{mark("dice")}"}}',
         "output": mark("rolled")},
        {"id": "mcpx", "type": "mcp_call", "server_label": "dice", "name": "roll", "arguments": "{}",
         "error": {"type": "x", "message": mark("mcp_error")}},
        {"id": "tea", "type": "tea_ceremony_call", "leaves": mark("leaves")},
        {"id": "note", "type": "note", "said": mark("note")},
        {"id": "fc", "type": "function_call", "call_id": "c2", "name": "weather", "arguments": f'{{"q":"{mark("asked")}"}}'},
        message(mark("answer"), "m1"),
        {"id": "m2", "type": "message", "role": "assistant", "status": "completed",
         "content": [{"type": "refusal", "refusal": mark("refusal")}]},
    ]  # fmt: skip
    echoed = {name: asked[name] for name in ("instructions", "metadata", "tools")}
    failed = {"error": {"code": "server_error", "message": mark("error")}}
    return asked, response("failed", *output, **echoed, **failed)


def marks_in(value: Any) -> set[str]:
    words = str(value).replace('"', " ").replace("\\", " ").replace("/", " ").replace(".png", " ").split()
    return {word.strip(",{}[]()'") for word in words if "mark-" in word}


def exported(trace: Traced) -> str:
    def told(span: ReadableSpan) -> str:
        events = [(event.name, dict(event.attributes or {})) for event in span.events]
        return f"{span.name} {dict(span.attributes or {})} {events} {span.status.description}"

    return "\n".join(map(told, trace.spans()))


@pytest.fixture
def play(client: Any, server: Scripted) -> Any:
    def played(**options: Any) -> tuple[str, list[ReadableSpan], set[str]]:
        asked, answer = marked()
        server.creates(response("queued")).polls(answer)
        with traced(**options) as trace:
            client.responses.create(**asked)
            client.responses.retrieve(RESPONSE)
            every = {m for m in marks_in(asked) | marks_in(answer) if "secret" not in m}
            return exported(trace), trace.spans(), every

    return played


def test_with_content_each_text_is_there_and_neither_secrets_nor_pictures_are(play: Any) -> None:
    out, spans, every = play()
    missing = {mark for mark in every if mark not in out}
    assert missing == set()
    for never in (*SECRETS, PIXELS, SHORT_PIXELS, PIXELS[:60], SHORT_PIXELS[:40]):
        assert never not in out
    (drawn,) = [s for s in spans if attribute(s, "gen_ai.tool.call.id") == "ig"]
    assert '"mime_type":"image/png"' in attribute(drawn, "gen_ai.tool.call.result")


def test_with_content_off_no_text_is_there(play: Any) -> None:
    out, _, _ = play(capture_content=False)
    assert marks_in(out) == set()
    assert "weather" not in out or "execute_tool" in out


def test_each_text_goes_through_the_redactor(play: Any) -> None:
    out, _, every = play(redact=lambda kind, text: text.replace("mark-", "hidden-"))
    assert marks_in(out) == set()
    assert {mark for mark in every if mark.replace("mark-", "hidden-") not in out} == set()
