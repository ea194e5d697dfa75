"""Plays a recording through the real client, call by call, and returns everything the app saw.

One coroutine serves both clients: with the sync one nothing in it waits, so it runs without an event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Coroutine
from typing import Any

from opentelemetry import trace

from .client import client_for, method
from .exchange import Exchange, polls_that_follow
from .folder import tool
from .handlers import listening
from .modes import Mode
from .record import Record
from .server import Stage, server

PathArguments = dict[str, str]
FINALS = ("get_final_run", "get_final_messages", "get_final_run_steps")


def play(exchanges: list[Exchange], mode: Mode) -> Record:
    stage = Stage(exchanges)
    client = client_for(mode, exchanges, server().open(stage))
    player = Player(client, mode, stage)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (asyncio.run if mode.is_async else run_without_loop)(player.play())
    player.record.requests = stage.requests
    player.record.warnings = [
        {"category": w.category.__name__, "message": str(w.message), "blamed": f"{w.filename}:{w.lineno}"}
        for w in caught
    ]
    return player.record


def run_without_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the sync client waited for something")


async def done(value: Any) -> Any:
    return (await value) if inspect.isawaitable(value) else value


class Player:
    def __init__(self, client: Any, mode: Mode, stage: Stage) -> None:
        self.client, self.mode, self.stage = client, mode, stage
        self.record = Record()

    async def play(self) -> None:
        while self.stage.next < len(self.stage.exchanges):
            index = self.stage.next
            await self._one(index)
            self.stage.next = max(self.stage.next, index + 1)  # also when nothing was asked
        await done(self.client.close())

    def see(self, what: str, value: Any) -> None:
        self.record.note(what, value)
        if trace.get_current_span() is not trace.INVALID_SPAN:  # no span may be current in the app's code
            self.record.note("a current span", str(trace.get_current_span()))

    async def _one(self, index: int) -> None:
        exchange = self.stage.exchanges[index]
        try:
            await self._call(exchange, helper_polls=polls_that_follow(self.stage.exchanges, index))
        except Exception as error:  # an app would see it: it belongs to the record, whatever it is
            self.see("raised", error)

    async def _call(self, exchange: Exchange, helper_polls: int) -> None:
        tools = tool("play_scenario")
        name, path_arguments = tools.route(exchange.request)
        if name is None:
            raw = getattr(self.client, exchange.method.lower())
            self.see("raw call", await done(raw(exchange.path, cast_to=object)))
        elif name in tools.STREAM and exchange.asked_for_stream:
            await self._stream(name, path_arguments, exchange)
        elif name in tools.POLL and helper_polls and self.mode.polls == "helper":
            call, arguments = self._prepare(tools.POLL[name], path_arguments, exchange)
            self.see(tools.POLL[name], await done(call(**arguments, poll_interval_ms=1)))
        else:
            call, arguments = self._prepare(name, path_arguments, exchange)
            self.see(name, await done(call(**arguments)))

    def _prepare(
        self, name: str, path_arguments: PathArguments, exchange: Exchange
    ) -> tuple[Any, dict[str, Any]]:
        call = method(self.client, name)
        return call, tool("play_scenario").arguments(call, name, path_arguments, exchange.request)

    async def _stream(self, name: str, path_arguments: PathArguments, exchange: Exchange) -> None:
        if self.mode.streams == "raw":
            call, arguments = self._prepare(name, path_arguments, exchange)
            stream = await done(call(**arguments, stream=True))
            self.see(name, stream)
            self.see("response", [stream.response.status_code, dict(stream.response.headers)])
            await self._iterate(stream)
            return
        call, arguments = self._prepare(tool("play_scenario").STREAM[name], path_arguments, exchange)
        if self.mode.streams == "handler":
            arguments["event_handler"] = listening(self.mode.is_async, self.see)
        manager = call(**arguments)
        if self.mode.is_async:
            async with manager as stream:
                await self._consume(stream)
        else:
            with manager as stream:
                await self._consume(stream)

    async def _consume(self, stream: Any) -> None:
        if self.mode.streams == "iterated":
            await self._iterate(stream)
            self.see("current_run", stream.current_run)
            return
        await done(stream.until_done())
        for name in FINALS:
            await self._final(stream, name)

    async def _final(self, stream: Any, name: str) -> None:
        try:
            self.see(name, await done(getattr(stream, name)()))
        except RuntimeError as error:  # there was none
            self.see(f"{name} raised", error)

    async def _iterate(self, stream: Any) -> None:
        if self.mode.is_async:
            async for event in stream:
                self.see("event", event)
        else:
            for event in stream:
                self.see("event", event)
