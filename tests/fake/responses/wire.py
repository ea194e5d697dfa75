"""What the tests of this folder ask for, and how an event stream looks from afar."""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import Any, TypeAlias

from runspan.fake import Server
from tests.fake.wire import call

Events: TypeAlias = "list[dict[str, Any]]"

LOOKUP = {
    "type": "function",
    "name": "lookup",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
QUESTION = "What do my files say about Heron, please?"
ASK = {"model": "gpt-4o", "input": QUESTION, "tools": [LOOKUP]}
EVERYTHING = [
    "file_search_call.results",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
]


def post(server: Server, **body: Any) -> Any:
    """The answer to POST /responses: an object, or the text of a stream."""
    return call(server.base_url, "POST", "/responses", {**ASK, **body})[2]


def get(server: Server, id_: str, query: str = "") -> Any:
    return call(server.base_url, "GET", f"/responses/{id_}{query}")[2]


def polled(server: Server, id_: str) -> Any:
    """The response when it is over."""
    while (body := get(server, id_))["status"] in ("queued", "in_progress"):
        pass
    return body


def data_of(text: str) -> Events:
    """The data of an SSE body, each under the name of its event."""
    found = re.findall(r"event: ?(\S+)\r?\ndata: ?(.*)", text)
    events = [json.loads(data) for _, data in found]
    assert [name for name, _ in found] == [one["type"] for one in events]
    return events


def outline(events: Events) -> list[str]:
    """Types with the status in their data; deltas in a row are one."""
    names = []
    for event in events:
        item, response = event.get("item", {}), event.get("response", {})
        names.append(
            f"{event['type']} {item.get('type', '')} {response.get('status', item.get('status', ''))}"
        )
    return [name for name, _ in groupby(names)]
