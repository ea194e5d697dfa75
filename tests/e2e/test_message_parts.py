"""Content parts of messages: texts of any script whole, everything else by its type."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.playing import ANSWERED, BOTH, QUESTION, App, here, playing, spans_of_app_go_to
from tests.support.told import told
from tests.support.tracing import attribute, messages, traced

from runspan.fake import ImageFile, ImageUrl, Message, Refusal, Scenario, Text, Usage

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
                    {"type": "image_url", "url": "https://a.b/c.png", "detail": "auto"},
                    {"type": "text", "content": "And this?"},
                ],
            }
        ]
        (answer,) = messages(generation, "output")
        assert [(p["type"], p.get("content")) for p in answer["parts"]] == [
            ("file", None),
            ("text", "A cat."),
            ("image_url", None),
            ("text", "No."),
        ]
        assert answer["parts"][0]["file_id"] == "file-1"
