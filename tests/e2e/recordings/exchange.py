"""One recorded request and its answer, and what server, player and oracle alike ask of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HELPER_STOPS = frozenset({"requires_action", "cancelled", "completed", "failed", "expired", "incomplete"})
EVENT = re.compile(r"^event: *(\S+)\r?\ndata: *(.*?)\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str  # without /v1 or /openai in front
    query: dict[str, Any]
    request_body: Any
    status: int
    headers: dict[str, str]
    body: Any  # parsed JSON; an event stream is its text
    request: dict[str, Any]  # as recorded
    azure: bool

    @property
    def is_stream(self) -> bool:
        is_text = isinstance(self.body, str)
        declared = "event-stream" in self.headers.get("content-type", "")
        return is_text and (declared or self.body.lstrip().startswith("event:"))

    @property
    def asked_for_stream(self) -> bool:
        body = self.request_body
        return self.is_stream or (isinstance(body, dict) and bool(body.get("stream")))

    @property
    def starts_run(self) -> bool:
        return self.method == "POST" and re.fullmatch(r"/threads/(?:[^/]+/)?runs", self.path) is not None

    def events(self) -> Iterator[tuple[str, Any]]:
        """(name, data) of every event the client hands out: up to `done` or `error`."""
        for name, data in EVENT.findall(self.body):
            if name in ("done", "error"):
                return
            yield name, json.loads(data)


def load(path: Path) -> list[Exchange]:
    with path.open(encoding="utf-8") as lines:
        return [_exchange(json.loads(line)) for line in lines if line.strip()]


def _exchange(raw: dict[str, Any]) -> Exchange:
    request, response = raw["request"], raw["response"]
    return Exchange(
        method=request["method"],
        path=bare_path(request["path"]),
        query=request.get("query") or {},
        request_body=request.get("body"),
        status=response["status"],
        headers={name.lower(): value for name, value in (response.get("headers") or {}).items()},
        body=response["body"],
        request=request,
        azure=request["path"].startswith("/openai/"),
    )


def bare_path(path: str) -> str:
    return re.sub(r"^(/openai)?(/v1)?(?=/)", "", path).rstrip("/")


def polls_that_follow(exchanges: list[Exchange], index: int) -> int:
    """How many polls a create_and_poll() at this place would make; 0 when it would never end."""
    run = exchanges[index].body
    if not isinstance(run, dict) or run.get("object") != "thread.run":
        return 0
    poll = f"/threads/{run['thread_id']}/runs/{run['id']}"
    for count, following in enumerate(exchanges[index + 1 :], start=1):
        if (following.method, following.path, following.status) != ("GET", poll, 200):
            return 0
        if following.body["status"] in HELPER_STOPS:
            return count
    return 0
