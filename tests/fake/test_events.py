"""The order and the shape of streamed events, held against every recorded stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from runspan.fake import SCENARIOS, Message, Scenario, Server
from tests.fake.wire import FUNCTION, USER, call, events

Events: TypeAlias = "list[tuple[str, Any]]"

# recording -> the scenario that does the same, how the run is made, by number of the stream in the recording
TWINS: dict[tuple[str, int], tuple[str | Scenario, str]] = {
    ("asyncopenai_streaming_parallel_tool_calls", 0): ("parallel_functions", "runs"),
    ("azure_go_streaming_run_failed_rate_limit", 0): ("rate_limited", "runs"),
    ("docs_examples_runs", 0): ("text", "runs"),
    ("docs_examples_runs", 1): ("text", "runs"),
    ("dotnet_file_search_streaming", 0): ("file_search", "runs"),
    ("dotnet_streaming_run", 0): ("text", "runs"),
    ("dotnet_streaming_tool_call", 0): ("function", "threads/runs"),
    ("dotnet_streaming_tool_call", 1): ("function", "submit_tool_outputs"),
    ("otel_streaming_code_interpreter_new_assistant", 0): ("code_interpreter", "runs"),
    ("otel_v1_streaming_code_interpreter_logs", 0): ("v1", "runs"),
    ("ruby_streamed_run_message_incomplete", 0): ("incomplete_prompt", "runs"),
    ("simple_streaming_error_event", 0): ("stream_error", "runs"),
    ("simple_v1_streaming_run", 0): (Scenario(phases=(Message(),), era="v1"), "runs"),
}
# One event after another that no recording has: ends in the middle of something, and documented events.
UNRECORDED = {
    ("thread.message.delta", "thread.message.incomplete"),
    ("thread.message.incomplete", "thread.run.step.failed"),
    ("thread.run.step.delta", "thread.run.step.failed"),
    ("thread.run.step.failed", "thread.run.failed"),
    ("thread.run.in_progress", "thread.run.expired"),
    ("thread.run.expired", "done"),
    ("thread.message.delta", "thread.run.cancelling"),
    ("thread.run.cancelling", "thread.message.incomplete"),
    ("thread.message.incomplete", "thread.run.step.cancelled"),
    ("thread.run.step.cancelled", "thread.run.cancelled"),
    ("thread.run.cancelled", "done"),
    ("thread.run.step.completed", "thread.run.incomplete"),
    ("thread.run.incomplete", "done"),
}
STREAMS = [name for name, one in SCENARIOS.items() if not one.fault and not one.cut_stream_after]


def recorded(folder: Path) -> dict[tuple[str, int], Events]:
    """(recording, number of the stream in it) -> its events."""
    found: dict[tuple[str, int], Events] = {}
    for file in sorted(folder.glob("*.jsonl")):
        bodies = [json.loads(line)["response"]["body"] for line in file.read_text().splitlines()]
        streams = [events(body) for body in bodies if isinstance(body, str) and "event:" in body]
        found.update({(file.stem, number): stream for number, stream in enumerate(streams)})
    return found


def play(server: Server, how: str) -> Events:
    """The stream of a run, made by POST .../runs, /threads/runs, or taken up by submit_tool_outputs."""

    def post(path: str, **body: Any) -> Any:
        return call(server.base_url, "POST", path, body)[2]

    assistant_id = post("/assistants", model="gpt-4o", tools=[FUNCTION])["id"]
    if how == "threads/runs":
        streamed = post("/threads/runs", assistant_id=assistant_id, thread={"messages": [USER]}, stream=True)
    else:
        on = f"/threads/{post('/threads', messages=[USER])['id']}/runs"
        streamed = post(on, assistant_id=assistant_id, stream=True)
    if how == "submit_tool_outputs":
        run = events(streamed)[-2][1]
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": one["id"], "output": "warm"} for one in calls]
        streamed = post(f"{on}/{run['id']}/submit_tool_outputs", tool_outputs=outputs, stream=True)
    return events(streamed)


def outline(stream: Events) -> list[tuple[str, str]]:
    """Events with the status in their data; deltas in a row are one."""
    named = [(name, data.get("status", "") if isinstance(data, dict) else data) for name, data in stream]
    return [key for key, _ in groupby(named)]


def delta_shape(value: Any) -> Any:
    """Names and types of a delta, without its values."""
    if isinstance(value, dict):
        return tuple(sorted((name, delta_shape(one)) for name, one in value.items() if name != "quote"))
    return tuple(map(delta_shape, value)) if isinstance(value, list) else type(value).__name__


def shapes(streams: list[Events]) -> set[Any]:
    return {
        (name, delta_shape(data)) for stream in streams for name, data in stream if name.endswith("delta")
    }


def test_every_recorded_stream_has_its_twin(recordings: Path) -> None:
    assert set(recorded(recordings)) == set(TWINS)


@pytest.mark.parametrize("key", TWINS, ids=lambda key: f"{key[0]}-{key[1]}")
def test_events_come_in_the_recorded_order(
    fake: Callable[..., Server], recordings: Path, key: tuple[str, int]
) -> None:
    scenario, how = TWINS[key]
    assert outline(play(fake(scenario), how)) == outline(recorded(recordings)[key])


@pytest.mark.parametrize("key", [key for key in TWINS if key[0].startswith("dotnet")], ids=str)
def test_streamed_objects_have_the_fields_of_2025(
    fake: Callable[..., Server], recordings: Path, key: tuple[str, int]
) -> None:
    theirs, ours = recorded(recordings)[key], play(fake(TWINS[key][0]), TWINS[key][1])
    fields = [
        {name: sorted(data) for name, data in stream if isinstance(data, dict)} for stream in (theirs, ours)
    ]
    assert fields[1] == fields[0]


@pytest.mark.parametrize("name", ["otel_v1_streaming_code_interpreter_logs", "simple_v1_streaming_run"])
def test_v1_objects_have_the_fields_of_2024(fake: Callable[..., Server], recordings: Path, name: str) -> None:
    theirs, ours = recorded(recordings)[name, 0], play(fake(TWINS[name, 0][0]), "runs")
    known = {event: set(data) for event, data in theirs if isinstance(data, dict)}
    for event, data in ours:
        if isinstance(data, dict):
            assert set(data) - {"required_action", "completed_at"} <= known[event] | {"file_ids"}, event


@pytest.mark.parametrize("name", ["function", "code_interpreter", "file_search", "text", "v1"])
def test_deltas_have_recorded_shapes(fake: Callable[..., Server], recordings: Path, name: str) -> None:
    assert shapes([play(fake(name), "runs")]) <= shapes(list(recorded(recordings).values()))


@pytest.mark.parametrize("name", STREAMS)
def test_no_event_follows_another_that_it_never_followed(
    fake: Callable[..., Server], recordings: Path, name: str
) -> None:
    allowed = UNRECORDED.copy()
    for stream in recorded(recordings).values():
        names = [event for event, _ in outline(stream)]
        allowed |= set(pairwise(names)) | {(event, event) for event in names if event.endswith("delta")}
    names = [event for event, _ in play(fake(name), "threads/runs")]
    assert names[0] == "thread.created"
    assert set(pairwise(names)) <= allowed


def test_the_sum_of_the_deltas_is_the_message(fake: Callable[..., Server]) -> None:
    stream = play(fake("file_search"), "runs")
    pieces = [data["delta"]["content"][0]["text"] for name, data in stream if name == "thread.message.delta"]
    (text,) = next(data for name, data in stream if name == "thread.message.completed")["content"]
    assert "".join(piece["value"] for piece in pieces) == text["text"]["value"]
    (citation,) = text["text"]["annotations"]
    assert text["text"]["value"][citation["start_index"] : citation["end_index"]] == citation["text"]
