"""Real recorded traffic as the records that the patches hand to the worker, to be spoilt and disordered."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.core.model import Server
from runspan.runtime.records import Call, StreamClosed, StreamEvent, StreamRef
from tests.e2e.recordings.exchange import Exchange, load
from tests.e2e.recordings.folder import recordings

SERVER = Server("http://127.0.0.1:9/v1/", "127.0.0.1", 9, "openai")
STEP_NS = 50_000_000  # between two records


@dataclass(frozen=True)
class Told:
    """One exchange, or one event of its stream (`index` counts the stream), or that stream's end (`event` empty)."""

    method: str
    path: str
    query: Any
    body: Any
    answer: Any
    index: int | None = None
    event: str | None = None

    @property
    def starts_run(self) -> bool:
        found = match(self.method, self.path)
        return found is not None and found.route.starts_run


@cache
def tales() -> tuple[tuple[Told, ...], ...]:
    """One tale a recording, as far as it speaks of the API that we read."""
    return tuple(tale for path in recordings() if (tale := tuple(_told(load(path)))))


def _told(exchanges: list[Exchange]) -> Iterator[Told]:
    for index, exchange in enumerate(exchanges):
        if match(exchange.method, exchange.path) is None or exchange.status >= 400:
            continue
        whole = (exchange.method, exchange.path, exchange.query, exchange.request_body)
        if not exchange.is_stream:
            yield Told(*whole, exchange.body)
            continue
        for name, data in exchange.events():
            yield Told(*whole, data, index, name)
        yield Told(*whole, None, index, "")


def names(tale: tuple[Told, ...], suffix: str) -> tuple[Told, ...]:
    """The same tale of other threads and runs."""

    def other(value: Any) -> Any:
        if isinstance(value, str):
            return value + suffix if value.startswith(("thread_", "run_", "Sanitized")) else value
        if isinstance(value, dict):
            return {k: other(v) for k, v in value.items()}
        return [other(v) for v in value] if isinstance(value, list) else value

    def path(of: Told) -> str:
        return "/".join(other(word) for word in of.path.split("/"))

    return tuple(
        Told(t.method, path(t), t.query, other(copy.deepcopy(t.body)), other(t.answer), t.index, t.event)
        for t in tale
    )


class Records:
    """Tales -> records. `begin` makes the live span of a call that starts a run, as the request patch does."""

    def __init__(self, begin: Any) -> None:
        self._begin = begin
        self._streams: dict[tuple[str, int], StreamRef] = {}
        self.now_ns = 0

    def of(self, told: Told) -> Iterator[Any]:
        self.now_ns += STEP_NS
        if told.index is None:
            yield self._call(told, streams=False)
            return
        key = (told.path, told.index)
        stream = self._streams.get(key)
        if stream is None:
            call = self._call(told, streams=True)
            stream = self._streams[key] = StreamRef.of(call)
            if not told.starts_run:
                yield call
        if told.event:
            yield StreamEvent(stream, told.event, self.now_ns, dumps(told.answer))
        else:
            del self._streams[key]
            yield StreamClosed(stream, self.now_ns)

    def ends(self) -> Iterator[Any]:
        """Of the streams that nobody closed: they are forgotten at last."""
        for stream in self._streams.values():
            yield StreamClosed(stream, self.now_ns)
        self._streams = {}

    def _call(self, told: Told, *, streams: bool) -> Call:
        found = match(told.method, told.path)
        assert found is not None
        call = Call(API, found, SERVER, self.now_ns, self.now_ns + STEP_NS // 2, streams=streams)
        call.body = dumps(told.body) if told.body is not None else None
        call.query = told.query if isinstance(told.query, dict) else {}
        if not streams:
            call.result = dumps(told.answer)
        if found.route.starts_run:
            call.live = self._begin(call, told.body)
            call.context = call.live.context
        return call


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()
