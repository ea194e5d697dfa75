"""Plays a recording of responses through the real client, call by call, and returns everything that the app saw."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

import openai
from openai.types.beta import AssistantStreamEvent
from opentelemetry import trace

from tests.e2e.recordings.exchange import Exchange
from tests.e2e.recordings.player import done, run_without_loop
from tests.e2e.recordings.record import Record
from tests.e2e.recordings.server import Stage, server
from tests.support.playing import drive

WORD = re.compile(r"/(responses|conversations)(?=/|$)")
ID = "([^/]+)"
# (method, path) -> method of the client; ids of the path are its first arguments.
CALLS = {
    ("POST", "/responses"): "responses.create",
    ("GET", f"/responses/{ID}"): "responses.retrieve",
    ("DELETE", f"/responses/{ID}"): "responses.delete",
    ("POST", f"/responses/{ID}/cancel"): "responses.cancel",
    ("GET", f"/responses/{ID}/input_items"): "responses.input_items.list",
    ("POST", "/responses/compact"): "responses.compact",
    ("POST", "/conversations"): "conversations.create",
    ("GET", f"/conversations/{ID}"): "conversations.retrieve",
    ("DELETE", f"/conversations/{ID}"): "conversations.delete",
    ("POST", f"/conversations/{ID}/items"): "conversations.items.create",
    ("GET", f"/conversations/{ID}/items"): "conversations.items.list",
    ("GET", f"/conversations/{ID}/items/{ID}"): "conversations.items.retrieve",
    ("DELETE", f"/conversations/{ID}/items/{ID}"): "conversations.items.delete",
}
SECOND = {"conversations.items.retrieve": "conversation_id", "conversations.items.delete": "conversation_id"}


@dataclass(frozen=True)
class Mode:
    """`form`: typed, raw (with_raw_response), lines (with_streaming_response)."""

    is_async: bool
    form: str

    @property
    def name(self) -> str:
        return f"{'async' if self.is_async else 'sync'}-{self.form}"


MODES = tuple(Mode(is_async, form) for is_async in (False, True) for form in ("typed", "raw", "lines"))


def play(exchanges: list[Exchange], mode: Mode) -> Record:
    stage = Stage(exchanges)
    player = Player(server().open(stage), mode, stage)
    drive(player.play(), is_async=mode.is_async)
    player.record.requests = stage.requests
    return player.record


class Player:
    def __init__(self, address: str, mode: Mode, stage: Stage) -> None:
        self.address, self.mode, self.stage = address, mode, stage
        self.record = Record()
        paths = [e.request["path"] for e in stage.exchanges if WORD.search(e.request["path"])]
        prefix = WORD.split(paths[0])[0] if paths else ""
        kind = openai.AsyncOpenAI if mode.is_async else openai.OpenAI
        http: Any = openai.DefaultAsyncHttpxClient if mode.is_async else openai.DefaultHttpxClient
        common = {"api_key": "replay", "max_retries": 0, "http_client": http(verify=False, trust_env=False)}
        self.client: Any = kind(base_url=address + prefix, **common)

    async def play(self) -> None:
        while self.stage.next < len(self.stage.exchanges):
            index = self.stage.next
            try:
                await self._call(self.stage.exchanges[index])
            except Exception as error:  # an app would see it: it belongs to the record, whatever it is
                self.see("raised", error)
            self.stage.next = max(self.stage.next, index + 1)
        await done(self.client.close())

    def see(self, what: str, value: Any) -> None:
        self.record.note(what, value)
        if trace.get_current_span() is not trace.INVALID_SPAN:  # no span may be current in the app's code
            self.record.note("a current span", str(trace.get_current_span()))

    async def _call(self, exchange: Exchange) -> None:
        path = exchange.request["path"]
        found = WORD.search(path)
        own = path[found.start() :] if found else ""
        for (method, pattern), name in CALLS.items():
            ids = re.fullmatch(pattern, own)
            if (
                ids
                and method == exchange.method
                and not (own.endswith("/compact") and name == "responses.cancel")
            ):
                await self._known(name, list(ids.groups()), exchange)
                return
        await self._other(exchange)

    async def _known(self, name: str, ids: list[str], exchange: Exchange) -> None:
        owner, _, method = name.rpartition(".")
        resource = self.client
        for part in owner.split("."):
            resource = getattr(resource, part)
        call = getattr(resource, method)
        options = arguments(call, exchange)
        if name in SECOND:
            options[SECOND[name]] = ids[0]
            ids = ids[1:]
        if self.mode.form == "typed":
            await self._see_all(name, await done(call(*ids, **options)))
        elif self.mode.form == "raw":
            response = await done(getattr(resource.with_raw_response, method)(*ids, **options))
            await self._see_all(name, await done(response.parse()))
        else:
            await self._lines(getattr(resource.with_streaming_response, method)(*ids, **options))

    async def _lines(self, manager: Any) -> None:
        if self.mode.is_async:
            async with manager as response:
                self.see("lines", [line async for line in response.iter_lines()])
        else:
            with manager as response:
                self.see("lines", list(response.iter_lines()))

    async def _see_all(self, name: str, result: Any) -> None:
        self.see(name, result)
        if hasattr(result, "data"):
            return
        if hasattr(result, "__anext__"):
            async for event in result:
                self.see("event", event)
        elif hasattr(result, "__next__"):
            for event in result:
                self.see("event", event)

    async def _other(self, exchange: Exchange) -> None:
        """Of another API, by its address."""
        options: dict[str, Any] = {"cast_to": object, "options": {"params": exchange.query}}
        if exchange.method == "POST":
            options["body"] = exchange.request_body or {}
        if exchange.asked_for_stream:
            stream = openai.AsyncStream if self.mode.is_async else openai.Stream
            options |= {
                "stream": True,
                "stream_cls": stream[AssistantStreamEvent],
                "cast_to": AssistantStreamEvent,
            }
        raw = getattr(self.client, exchange.method.lower())
        await self._see_all("raw call", await done(raw(self.address + exchange.request["path"], **options)))


def arguments(call: Any, exchange: Exchange) -> dict[str, Any]:
    """What was sent, as arguments where this version of the client has them."""
    known = inspect.signature(call).parameters
    body = exchange.request_body if isinstance(exchange.request_body, dict) else {}
    query = {name.removesuffix("[]"): value for name, value in exchange.query.items()}
    given = {
        **{k: v for k, v in body.items() if k in known},
        **{k: v for k, v in query.items() if k in known},
    }
    if "stream" in given:
        given["stream"] = given["stream"] in (True, "true")
    if "starting_after" in given:
        given["starting_after"] = int(given["starting_after"])
    return {
        **given,
        "extra_body": {k: v for k, v in body.items() if k not in known} or None,
        "extra_query": {k: v for k, v in query.items() if k not in known} or None,
    }


__all__ = ["MODES", "Mode", "Player", "play", "run_without_loop"]
