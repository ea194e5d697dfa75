"""Content parts of messages: texts of any script whole, everything else by its type."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from unittest.mock import ANY

import pytest
from tests.support.playing import ANSWERED, BOTH, QUESTION, App, here, playing, spans_of_app_go_to
from tests.support.told import told
from tests.support.tracing import attribute, messages, traced

from runspan.fake import (
    FileCitation,
    FilePath,
    FunctionCall,
    ImageFile,
    ImageUrl,
    Message,
    Refusal,
    Scenario,
    Text,
    Tools,
    Usage,
)

both_clients = pytest.mark.parametrize("kind", BOTH)

SCRIPTS = [
    "Привет, мир",
    "你好，世界",
    "שלום עולם",
    "नमस्ते",
    "👩‍👩‍👧‍👦 🌮",
    "𝒙 = ½",
    "a\u0000b\u2028c\ufeff",
    'q"\\/\n\t',
]


@both_clients
def test_texts_of_any_script_survive_unescaped(kind: str) -> None:
    async def case(app: App) -> None:
        for text in SCRIPTS:
            await app.ask(text)
        with here("create"):
            stream = await app.got(app.runs.create(**app.asked, stream=True))
        await app.each(stream)

    answer = Scenario(phases=(Message(" ".join(SCRIPTS)),))
    with playing(kind, answer) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        found = told(trace)
        assert (found["input"], found["output"]) == (SCRIPTS, [" ".join(SCRIPTS)])
        assert "Привет" in attribute(trace.generation(), "gen_ai.input.messages")


@both_clients
@pytest.mark.parametrize("is_streamed", [False, True])
def test_lone_surrogates_are_replaced_and_cost_nothing_else(is_streamed: bool, kind: str) -> None:
    """A model's answer may be cut in the middle of a pair; JSON carries that, UTF-8 does not."""

    async def case(app: App) -> None:
        await app.ask()
        if is_streamed:
            with here("create"):
                await app.each(await app.got(app.runs.create(**app.asked, stream=True)))
        else:
            await app.polled(await app.started())
            answer, _ = await app.listed()
            assert answer.content[0].text.value == "Half \ud83d of it"

    half = ANSWERED.but(phases=(Message("Half \ud83d of it", usage=Usage(1, 1)),))
    with playing(kind, half) as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        found = told(trace)
        assert (found["input"], found["output"]) == ([QUESTION], ["Half ? of it"])


@both_clients
@pytest.mark.parametrize("is_streamed", [False, True])
def test_parts_that_are_no_text_survive_by_their_type(is_streamed: bool, kind: str) -> None:
    parts = (ImageFile("file-1"), Text("A cat."), ImageUrl("https://x.y/z.png"), Refusal("No."))

    async def case(app: App) -> None:
        image: Any = {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}
        await app.got(
            app.threads.messages.create(
                app.thread_id, role="user", content=[image, {"type": "text", "text": "And this?"}]
            )
        )
        if is_streamed:
            await app.each(await app.got(app.runs.create(**app.asked, stream=True)))
        else:
            await app.polled(await app.started())
            await app.listed()

    with playing(kind, ANSWERED.but(phases=(Message(parts),))) as app, traced() as trace:
        app.play(case)
        generation = trace.generation()
        assert messages(generation, "input") == [
            {
                "role": "user",
                "parts": [
                    {"type": "uri", "modality": "image", "uri": "https://a.b/c.png", "detail": "auto"},
                    {"type": "text", "content": "And this?"},
                ],
            }
        ]
        (answer,) = messages(generation, "output")
        assert [(p["type"], p.get("content")) for p in answer["parts"]] == [
            ("file", None),
            ("text", "A cat."),
            ("uri", None),
            ("text", "No."),
        ]
        assert answer["parts"][0]["file_id"] == "file-1"


@both_clients
def test_binary_data_goes_out_as_hash_type_and_size_wherever_it_stands(kind: str) -> None:
    arguments = json.dumps({"image": PNG})

    async def case(app: App) -> None:
        parts: Any = [
            {"type": "image_url", "image_url": {"url": PNG}},
            {"type": "text", "text": f"{PNG} see"},
        ]
        await app.got(app.threads.messages.create(app.thread_id, role="user", content=parts))
        run = await app.polled(await app.started())
        await app.polled(await app.got(app.runs.submit_tool_outputs(**outputs(run, PNG))))
        await app.listed()

    scenario = ANSWERED.but(phases=(Tools((FunctionCall("draw", arguments),)), Message(f"Look: {PNG}")))
    with playing(kind, scenario) as app, traced() as trace:
        app.play(case)
        asked, answered = messages(trace.generation(), "input"), messages(trace.generation(), "output")
        assert asked[0]["parts"] == [
            {
                "type": "blob",
                "modality": "image",
                "content": "",
                "detail": "auto",
                "mime_type": "image/png",
                "size_bytes": len(BYTES),
                "sha256": SHA,
            },
            {"type": "text", "content": f"{TOLD} see"},
        ]
        assert [m["parts"][0] for m in answered] == [
            {"type": "tool_call", "id": ANY, "name": "draw", "arguments": {"image": TOLD}},
            {"type": "tool_call_response", "id": ANY, "response": TOLD},
            {"type": "text", "content": f"Look: {TOLD}"},
        ]
        for span in trace.spans():
            assert "base64," not in span.to_json()


BYTES = b"\x89PNG" + bytes(range(256)) * 3
PNG = f"data:image/png;base64,{base64.b64encode(BYTES).decode()}"
SHA = hashlib.sha256(BYTES).hexdigest()
TOLD = f"[image/png, {len(BYTES)} bytes, sha256 {SHA}]"


def outputs(run: Any, output: str) -> dict[str, Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    return {
        "run_id": run.id,
        "thread_id": run.thread_id,
        "tool_outputs": [{"tool_call_id": call.id, "output": output} for call in calls],
    }


@both_clients
def test_attachments_and_annotations_name_their_files(kind: str) -> None:
    async def case(app: App) -> None:
        file = await app.got(app.client.files.create(file=b"text", purpose="assistants"))
        app.seen["file"] = file.id
        attached: Any = [
            {"file_id": file.id, "tools": [{"type": "file_search"}, {"type": "code_interpreter"}]}
        ]
        await app.ask("See the file.", attachments=attached)
        await app.polled(await app.started())
        await app.listed()

    cited = Text("It says so.", (FileCitation("file-a", "[1]"), FilePath("file-b", "[2]")))
    with playing(kind, ANSWERED.but(phases=(Message((cited,)),))) as app, traced() as trace:
        app.play(case)
        (asked,) = messages(trace.generation(), "input")
        assert asked["parts"] == [
            {"type": "text", "content": "See the file."},
            {
                "type": "file",
                "modality": "document",
                "file_id": app.seen["file"],
                "tools": ["file_search", "code_interpreter"],
            },
        ]
        (answered,) = messages(trace.generation(), "output")
        annotations = answered["parts"][0]["annotations"]
        assert [(a["type"], a["text"], a[a["type"]]["file_id"]) for a in annotations] == [
            ("file_citation", "[1]", "file-a"),
            ("file_path", "[2]", "file-b"),
        ]


@both_clients
def test_a_message_that_was_cut_says_why(kind: str) -> None:
    async def case(app: App) -> None:
        await app.ask()
        await app.each(await app.got(app.runs.create(**app.asked, stream=True)))

    with playing(kind, "content_filter") as app, traced() as trace:
        app.play(case)
        (answered,) = messages(trace.generation(), "output")
        assert (answered["incomplete"], answered["incomplete_reason"]) == (True, "content_filter")
        assert attribute(trace.generation(), "gen_ai.response.finish_reasons") == ("content_filter",)
