"""Recordings and objects with anything in any place: no import fails on them, and no more than they themselves is left out."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.recordings.folder import RECORDINGS, recordings
from tests.importing.comparing import imported
from tests.importing.exporting import write_lines
from tests.support.slices import every

ODD: tuple[Any, ...] = (
    None,
    -1,
    0,
    "",
    "x" * 3_000,
    [],
    {},
    [[]],
    {"a": {"b": []}},
    True,
    1e308,
    "\ud800",
    2**70,
)
SPOILED = 4  # places of one line


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, key)
        yield from places(one, (*path, key))


def spoiled(value: Any, rng: random.Random) -> Any:
    value = copy.deepcopy(value)
    for _ in range(SPOILED):
        path = rng.choice(list(places(value)) or [()])
        at = value
        for key in path[:-1]:
            at = at[key]
        if path:
            at[path[-1]] = copy.deepcopy(rng.choice(ODD))
    return value


def all_recordings() -> list[Path]:
    return [*recordings(), *sorted((RECORDINGS.parent / "recordings-responses").glob("*.jsonl"))]


@pytest.mark.skipif(not recordings(), reason="no recordings")
@pytest.mark.parametrize("seed", every(4, range(8)))
def test_spoiled_recordings_are_imported(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    for path in all_recordings():
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        write_lines(tmp_path / path.name, [spoiled(line, rng) for line in lines])
    _, report = imported(tmp_path)
    assert not [str(fault) for fault in report.faults if "failed" in fault.reason]
    assert report.runs > 10


@pytest.mark.parametrize("seed", every(4, range(8)))
def test_spoiled_objects_are_imported(seed: int) -> None:
    from tests.importing.archives import assistant, objects, thread

    rng = random.Random(seed)
    exports = [thread(f"thread_{n}", 2) for n in range(40)]
    made = [spoiled(export, rng) for export in exports[:20]]
    made += [spoiled(one, rng) for export in exports[20:] for one in (assistant(), *objects(export))]
    _, report = imported(objects=made)
    assert not [str(fault) for fault in report.faults if "failed" in fault.reason]
    assert report.runs > 10


def test_responses_with_anything_in_any_place_are_imported() -> None:
    rng = random.Random(3)
    item = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Ho"}],
    }
    call = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    made = []
    for n in range(300):
        response = {"id": f"resp_{n}", "object": "response", "created_at": 1_700_000_000 + n, "status": "completed",
                    "model": "m", "output": [item, call], "usage": {"input_tokens": 1, "output_tokens": 2}}  # fmt: skip
        whole = {"response": response, "input_items": [item, call]}
        conversation = {
            "conversation": {"id": f"conv_{n}", "created_at": 1_700_000_000},
            "items": [item, call],
        }
        made += [spoiled(whole, rng), spoiled(conversation, rng)]
    _, report = imported(objects=made)
    assert not [str(fault) for fault in report.faults if "failed" in fault.reason]
    assert report.runs > 100
