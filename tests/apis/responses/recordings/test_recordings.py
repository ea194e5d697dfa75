"""Recorded responses through the real client: what the traces say, and that the app and the server notice nothing."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from tests.apis.responses.recordings.oracle import Told, expected
from tests.apis.responses.recordings.player import MODES, Mode, play
from tests.e2e.recordings.exchange import Exchange, load
from tests.e2e.recordings.folder import CHECKOUT
from tests.e2e.recordings.folder import TOOLS as REPLAYING
from tests.e2e.recordings.record import Record, difference
from tests.e2e.recordings.traced import AT_ONCE, traced
from tests.support.slices import every
from tests.support.tracing import attribute, messages

pytest.importorskip("openai.types.conversations", reason="this openai has no conversations")

SHARED = CHECKOUT.parent / "shared" / "recordings-responses"
FOLDER = Path(os.environ.get("RUNSPAN_RESPONSES_RECORDINGS") or SHARED)
RECORDINGS = sorted(FOLDER.glob("*.jsonl"))
if not RECORDINGS or not REPLAYING.is_dir():
    pytest.skip(f"no recordings in {FOLDER} (RUNSPAN_RESPONSES_RECORDINGS)", allow_module_level=True)


def _id(one: Any) -> str:
    return str(getattr(one, "stem", getattr(one, "name", one)))


CASES = every(11, RECORDINGS, MODES, ["all", "background"])

# Read off the files by hand, so that the oracle is held by something that is not itself:
# per response its status, tokens, number of texts, types of the server's tools.
READ_BY_HAND: dict[str, list[tuple[Any, ...]]] = {
    "azure_foundry_background_poll": [("completed", (10, 80), 1, ())],
    "dotnet_background_cancel": [("cancelled", (None, None), 0, ())],
    "dotnet_compact": [("completed", (19, 912), 1, ())],
    "dotnet_mcp_approval_round_trip": [
        ("completed", (187, 155), 0, ("mcp_list_tools",)),
        ("completed", (413, 5), 1, ("mcp_call",)),
    ],
    "pydanticai_background_still_queued": [("queued", (None, None), 0, ())],
    "vercel_stream_error_then_failed_quota": [("in_progress", (None, None), 0, ())],
}


@cache
def exchanges_of(recording: Path) -> list[Exchange]:
    return load(recording)


@cache
def alone(recording: Path, mode: Mode) -> Record:
    return play(exchanges_of(recording), mode)


@pytest.mark.parametrize("name", READ_BY_HAND)
def test_the_oracle_finds_what_a_reader_finds(name: str) -> None:
    found = expected(exchanges_of(FOLDER / f"{name}.jsonl"), everything=True, raises=True)
    assert [(t.status, t.usage, len(t.texts), t.tools) for t in found] == READ_BY_HAND[name]


def seen(span: ReadableSpan, spans: tuple[ReadableSpan, ...]) -> Told:
    """What the one span of a response, and those below it, say. An agent's response has its generation below."""
    below = [s for s in spans if s.parent is not None and s.parent.span_id == span.context.span_id]
    generation = next((s for s in below if attribute(s, "gen_ai.operation.name") == "chat"), span)
    of_server = [s for s in below if attribute(s, "gen_ai.tool.type") in ("datastore", "extension")]
    tools = [attribute(s, "gen_ai.tool.name") for s in of_server]
    parts = [part for m in messages(generation, "output") for part in m["parts"] if part["type"] == "text"]
    return Told(
        attribute(span, "runspan.run.id"),
        attribute(generation, "gen_ai.response.model"),
        attribute(span, "runspan.run.status"),
        (
            attribute(generation, "gen_ai.usage.input_tokens"),
            attribute(generation, "gen_ai.usage.output_tokens"),
        ),
        tuple(part["content"] for part in parts),
        tuple(tools),
        attribute(span, "error.type"),
    )


TOOLS = {"mcp_call": "roll"}  # the only server's tool that has a name of its own


def named(told: Told) -> Told:
    return Told(*(getattr(told, name) for name in ("id", "model", "status", "usage", "texts")),
                tuple(TOOLS.get(tool, tool.removesuffix("_call")) for tool in told.tools), told.error)  # fmt: skip


@pytest.mark.parametrize(
    ("recording", "mode", "responses"),
    CASES,
    ids=lambda one: getattr(one, "stem", None) or getattr(one, "name", one),
)
def test_each_response_is_one_span_with_what_its_last_object_says(
    recording: Path, mode: Mode, responses: Any
) -> None:
    exchanges = exchanges_of(recording)
    result = traced(lambda: play(exchanges, mode), AT_ONCE, responses=responses)
    due = expected(exchanges, everything=responses == "all", raises=mode.form != "lines")
    spans = [
        s
        for s in result.spans
        if attribute(s, "runspan.api") == "responses" and attribute(s, "runspan.run.id")
    ]
    assert sorted([seen(s, result.spans) for s in spans], key=lambda t: t.id) == sorted(
        map(named, due), key=lambda t: t.id
    )
    assert difference(alone(recording, mode), result.record) == ""
    unfinished = sum(told.status in ("queued", "in_progress") for told in due)
    is_classic = recording.stem.startswith("azure_ai_agents")
    assert (result.live, result.unfinished, dict(result.dropped)) == (0, unfinished, {}) or is_classic
    assert result.complaints == []
    tokens = [attribute(s, "gen_ai.usage.input_tokens") or 0 for s in result.spans]
    assert sum(tokens) == sum(told.usage[0] or 0 for told in due) or is_classic
