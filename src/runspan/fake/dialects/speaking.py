"""A dialect at work on one server: requests are turned into the API's own, answers into the dialect's."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runspan.fake import objects
from runspan.fake.dialects.dialect import Dialect
from runspan.fake.http import Request, Response, json_response
from runspan.fake.store import Object, Shelf

if TYPE_CHECKING:
    from runspan.fake.api import Api

MAX_IDS = 100_000  # that are remembered by their other names
CREATES = ("POST /threads/*/runs", "POST /threads/runs")
ASSISTANTS = ("/assistants", "/threads")
RESPONSE_ID = re.compile(r"\bresp_\w+")


class Speaker:
    """Called in the server's thread only."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._own: Shelf[list[str]] = Shelf(
            "id", MAX_IDS
        )  # by the name it was given: the API's own, in order
        self._answers = 0

    # ------------------------------------------------------------ requests

    def refusal(self, route: str, is_known: Callable[[str], bool]) -> Response | None:
        """Of a route that this server does not serve, as FastAPI words it."""
        if route not in self._dialect.lacks:
            return None
        template = route.partition(" ")[2]
        others = (f"{method} {template}" for method in ("GET", "POST", "DELETE"))
        is_path_served = any(is_known(one) and one not in self._dialect.lacks for one in others)
        status, detail = (405, "Method Not Allowed") if is_path_served else (404, "Not Found")
        return json_response({"detail": detail}, status)

    def heard(self, request: Request, path: str) -> tuple[Request, str]:
        """The request with the API's own ids, and its path."""
        query, body = request.query, request.body
        if path.startswith(ASSISTANTS) and not self._dialect.sorts:
            query = {**query, "order": ["asc"]}
        if body.startswith(b"{"):
            sent = self._with_own_ids(json.loads(body), {})
            if path.startswith(ASSISTANTS) and not self._dialect.streams:
                sent.pop("stream", None)
            body = json.dumps(sent).encode()
        query = {name: [self._own_id(value, {}) for value in values] for name, values in query.items()}
        return replace(request, query=query, body=body), self._own_path(path)

    def _own_path(self, path: str) -> str:
        return "/".join(self._own_id(part, {}) for part in path.split("/"))

    def _own_id(self, given: str, used: dict[str, int]) -> str:
        """One name may stand for several objects: the first time for the first of them."""
        own = self._own.get(given)
        if own is None:
            return given
        at = used[given] = used.get(given, -1) + 1
        return own[min(at, len(own) - 1)]

    def _with_own_ids(self, value: Any, used: dict[str, int]) -> Any:
        if isinstance(value, str):
            return self._own_id(value, used)
        if isinstance(value, dict):
            return {name: self._with_own_ids(one, used) for name, one in value.items()}
        return [self._with_own_ids(one, used) for one in value] if isinstance(value, list) else value

    # ------------------------------------------------------------ answers

    def said(self, api: Api, request: Request, route: str, response: Response) -> Response:
        """The answer as this server words it."""
        self._answers += 1
        if not route.partition(" ")[2].startswith(ASSISTANTS):
            return self._renamed(response) if self._dialect.renames_responses else response
        if response.stream is not None:
            if "event-stream" in response.headers.get("content-type", ""):
                response.stream = self._stream(response.stream)
            return response
        if response.status != 200 or not response.body.startswith(b"{"):
            return response
        body = json.loads(response.body)
        if self._dialect.blocks and route in CREATES:
            response.stream = self._once_over(api, body["thread_id"], body["id"])
        else:
            response.body = self._dumped(body)
        return response

    def _dumped(self, body: Object) -> bytes:
        return json.dumps(self._viewed(body), separators=(",", ":")).encode()

    def _viewed(self, body: Object) -> Object:
        if body.get("object") == "list":
            viewed = {**body, "data": [self._dialect.view(one) for one in body["data"]]}
        else:
            viewed = self._dialect.view(body)
        self._remember(_ids(body), _ids(viewed))
        if self._dialect.rename is None:
            return viewed
        named: Object = self._with_names(viewed)
        return named

    def _remember(self, own: list[str], given: list[str]) -> None:
        """Where a view changed ids of calls, which of them was meant."""
        for one, other in zip(own, given, strict=False):
            if one != other:
                known = self._own.setdefault(other, [])
                if one not in known:
                    known.append(one)

    def _with_names(self, value: Any) -> Any:
        if isinstance(value, str) and self._dialect.rename is not None:
            given = self._dialect.rename(value)
            if given != value:
                self._own.put(given, [value])
            return given
        if isinstance(value, dict):
            return {name: self._with_names(one) for name, one in value.items()}
        return [self._with_names(one) for one in value] if isinstance(value, list) else value

    async def _once_over(self, api: Api, thread_id: str, run_id: str) -> AsyncGenerator[bytes, None]:
        run = api.state.threads.find(thread_id).runs.find(run_id)
        changed = asyncio.Event()
        while not run.is_over and run.body["status"] != "requires_action":
            await api.clock.wait(run.next_at, changed)
            run.advance(api.clock.now())
        yield self._dumped(objects.view(run.body, v1=run.scenario.era == "v1"))

    async def _stream(self, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for piece in events:  # whole events, always
            for block in piece.decode().split("\n\n"):
                if block:
                    yield b"".join(self._event(block))

    def _event(self, block: str) -> list[bytes]:
        head, _, text = block.partition("\ndata: ")
        name = head.removeprefix("event: ")
        if not text.startswith("{"):
            return [self._dialect.frame(name, text)]
        made = self._dialect.events(name, json.loads(text))
        return [self._dialect.frame(n, self._dumped(data).decode()) for n, data in made]

    def _renamed(self, response: Response) -> Response:
        """Each answer calls its response by another id."""
        if response.stream is not None:
            response.stream = self._renamed_stream(response.stream)
        else:
            response.body = self._with_new_name(response.body, self._answers)
        return response

    async def _renamed_stream(self, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        number = self._answers
        async for piece in events:
            yield self._with_new_name(piece, number)

    def _with_new_name(self, body: bytes, number: int) -> bytes:
        text = body.decode()
        for own in dict.fromkeys(RESPONSE_ID.findall(text)):
            given = f"resp_{number:08x}{own.removeprefix('resp_')}"
            self._own.put(given, [own])
            text = text.replace(own, given)
        return text.encode()


def _ids(value: Any) -> list[str]:
    """All ids of tool calls, in the order in which they stand."""
    if isinstance(value, dict):
        own = [value["id"]] if "function" in value and "id" in value else []
        return own + [id_ for one in value.values() for id_ in _ids(one)]
    return [id_ for one in value for id_ in _ids(one)] if isinstance(value, list) else []
