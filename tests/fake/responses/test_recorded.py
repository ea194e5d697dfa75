"""The order and the shape of streamed events, held against every recorded stream of a response."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runspan.fake import Server
from runspan.fake.responses import SCENARIOS, Ending, FunctionCall, Message, Reasoning, Scenario, Text
from runspan.fake.responses.library import CODE, IMAGE, MCP, MCP_TOOLS
from tests.fake.responses.wire import Events, data_of, get, outline, post
from tests.fake.wire import call

TEXT = SCENARIOS["text"]
SILENT = Reasoning()
SUMMARY = Reasoning(("Once.",))
CITED = {"type": "file_citation", "file_id": "file-1", "filename": "a.txt", "index": 31}
# recording -> the scenario that does the same, by the exchange's number in it
TWINS: dict[tuple[str, int], Scenario] = {
    ("chatlas_azure_stream_api_version", 0): Scenario(items=(SILENT, Message("2"))),
    ("chatlas_stream_parallel_function_calls", 0): Scenario(items=(FunctionCall(), FunctionCall())),
    ("chatlas_stream_parallel_function_calls", 1): TEXT,
    ("ddtrace_stream_incomplete_max_output_tokens", 0): SCENARIOS["incomplete"],
    ("ddtrace_stream_reasoning_summary", 0): Scenario(items=(SUMMARY, Message("9"))),
    ("dotnet_background_stream_resume_starting_after", 0): TEXT,
    ("dotnet_background_stream_resume_starting_after", 2): TEXT,
    ("dotnet_stream_function_call", 0): Scenario(items=(FunctionCall(),)),
    ("dotnet_stream_mcp_call", 0): Scenario(items=(MCP_TOOLS, SILENT, MCP, Message("4"))),
    ("dotnet_stream_web_search", 0): SCENARIOS["web_search"].but(
        items=(SCENARIOS["web_search"].items[0], Message("Sunny."))
    ),
    ("dotnet_stream_file_search", 2): SCENARIOS["file_search"],
    ("pydanticai_background_stream_then_get", 0): TEXT,
    ("pydanticai_stream_code_interpreter_reasoning_summary", 0): Scenario(
        items=(SUMMARY, CODE, CODE, CODE, Message("1"))
    ),
    ("vercel_stream_error_then_failed_quota", 0): Scenario(
        items=(), ending=Ending("failed", code="insufficient_quota", error_event="nested")
    ),
    ("vercel_stream_image_generation", 0): Scenario(items=(SILENT, IMAGE, Message(""))),
}
BESIDE = {
    "dotnet_stream_file_search": "output_text.delta",
}  # recorded: one more piece after the annotation
# What a recording of 2025 lacks, or has by its request alone.
YOUNGER = {
    "completed_at",
    "frequency_penalty",
    "presence_penalty",
    "prompt_cache_retention",
    "conversation",
    "moderation",
    "content_filters",
}


def exchanges(folder: Path) -> dict[tuple[str, int], tuple[Any, Any]]:
    """(recording, number) -> (request, the answer's body)."""
    return {
        (file.stem, number): (exchange["request"], exchange["response"]["body"])
        for file in sorted(folder.glob("*.jsonl"))
        for number, exchange in enumerate(map(json.loads, file.read_text().splitlines()))
    }


def recorded(folder: Path) -> dict[tuple[str, int], Events]:
    """The streams of responses among them."""
    return {
        key: data_of(body)
        for key, (request, body) in exchanges(folder).items()
        if isinstance(body, str) and "event:" in body and "/responses" in request["path"]
    }


def play(fake: Callable[..., Server], key: tuple[str, int], request: Any) -> Events:
    """The same stream of the fake: of a create, or taken up by a retrieve."""
    server = fake(responses=TWINS[key])
    background = key[0].split("_")[1] == "background"
    include = (request["body"] or {}).get("include") or []
    events = data_of(post(server, stream=True, background=background, include=include))
    if request["method"] == "GET":
        query = "&".join(f"{name}={value}" for name, value in request["query"].items())
        events = data_of(get(server, events[0]["response"]["id"], f"?{query}"))
    return events


def test_every_recorded_stream_has_its_twin(recordings: Path) -> None:
    assert set(recorded(recordings)) == set(TWINS)


@pytest.mark.parametrize("key", TWINS, ids=lambda key: f"{key[0]}-{key[1]}")
def test_events_come_in_the_recorded_order(
    fake: Callable[..., Server], recordings: Path, key: tuple[str, int]
) -> None:
    theirs = outline(recorded(recordings)[key])
    ours = outline(play(fake, key, exchanges(recordings)[key][0]))
    if key[0] in BESIDE:
        after = next(place for place, name in enumerate(theirs) if "annotation.added" in name) + 1
        assert BESIDE[key[0]] in theirs.pop(after)
    assert ours == theirs


@pytest.mark.parametrize("key", TWINS, ids=lambda key: f"{key[0]}-{key[1]}")
def test_events_have_the_recorded_fields(
    fake: Callable[..., Server], recordings: Path, key: tuple[str, int]
) -> None:
    theirs = fields(recorded(recordings)[key])
    ours = fields(play(fake, key, exchanges(recordings)[key][0]))
    for kind, names in theirs.items():
        missing = names - ours[kind] - {"obfuscation", "encrypted_content", "phase"}
        added = ours[kind] - names - {"name", "encrypted_content"}  # newer than the recordings
        assert (kind, missing, added) == (kind, set(), set())


def fields(events: Events) -> dict[str, set[str]]:
    """Names of fields by type of event, and of the items in them."""
    found: dict[str, set[str]] = {}
    for event in events:
        found.setdefault(event["type"], set()).update(event)
        if "item" in event:
            found.setdefault(f"{event['type']} {event['item']['type']}", set()).update(event["item"])
    return found


def bodies(folder: Path, foundry: bool) -> list[Any]:
    """Whole responses of the recordings: answers and the data of events."""
    found = []
    for request, body in exchanges(folder).values():
        if "/responses" in request["path"] and ("/api/projects/" in request["path"]) == foundry:
            inside = (
                [event["response"] for event in data_of(body) if "response" in event]
                if isinstance(body, str)
                else []
            )
            found += [body] if isinstance(body, dict) and body.get("object") == "response" else inside
    return found


@pytest.mark.parametrize("foundry", [False, True], ids=["openai", "foundry"])
def test_a_response_has_the_fields_of_recorded_ones(
    fake: Callable[..., Server], recordings: Path, foundry: bool
) -> None:
    server = fake(responses="text")
    path = "/api/projects/p/openai/v1" if foundry else "/v1"
    made = call(f"{server.azure_endpoint}{path}", "POST", "/responses", {"model": "gpt-4o", "input": "Hi"})[2]
    seen = bodies(recordings, foundry)
    common = set.intersection(*(set(one) for one in seen if one["status"] == "completed"))
    known = set().union(*(set(one) for one in seen))
    assert common - set(made) <= (YOUNGER - {"conversation"} if foundry else YOUNGER)
    assert set(made) <= known | {"store"}


def test_foundry_tells_of_usage_as_recorded(fake: Callable[..., Server], recordings: Path) -> None:
    server = fake(responses=Scenario(items=(Message("Hi", seconds=1.5),), queue_s=0.5))
    base_url = f"{server.azure_endpoint}/api/projects/p/openai/v1"
    ours = [
        call(
            base_url,
            "POST",
            "/responses?api-version=v1",
            {"model": "gpt-5-mini", "input": "Hi", "background": True},
        )[2]
    ]
    while ours[-1]["status"] != "completed":
        ours.append(call(base_url, "GET", f"/responses/{ours[0]['id']}?api-version=v1")[2])
    key = "azure_foundry_background_poll"
    theirs = [body for (name, _), (_, body) in exchanges(recordings).items() if name == key]

    def told(body: Any) -> Any:
        usage = body.get("usage", "absent")
        zeros = isinstance(usage, dict) and usage["total_tokens"] == 0
        names = (
            sorted((name, value is None) for name, value in usage.items())
            if isinstance(usage, dict)
            else usage
        )
        return body["status"], body["model"], zeros, names

    assert [told(body) for body in ours] == [told(body) for body in theirs]


def test_numbers_go_up_by_one_from_zero(fake: Callable[..., Server], recordings: Path) -> None:
    for events in (
        data_of(post(fake(responses="mcp"), stream=True)),
        recorded(recordings)["dotnet_stream_mcp_call", 0],
    ):
        assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_the_sum_of_the_deltas_is_the_text(fake: Callable[..., Server]) -> None:
    scenario = Scenario(items=(Message((Text("One two three four."),)),))
    events = data_of(post(fake(responses=scenario), stream=True))
    pieces = [event["delta"] for event in events if event["type"].endswith("output_text.delta")]
    assert len(pieces) > 2
    assert (
        "".join(pieces) == events[-1]["response"]["output"][0]["content"][0]["text"] == "One two three four."
    )
