"""A tracker with nothing behind it: spans land in a list, GETs are only noted, and the clock stands until it is moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.trace import INVALID_SPAN

from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.config import resolve
from runspan.core.model import Observation, Run, RunFacts, RunRequest, Source, SpanData
from runspan.core.redact import Texts
from runspan.runtime import clock
from runspan.runtime.live_run import Live
from runspan.runtime.lru import Lru
from runspan.runtime.records import BackgroundClient, Call, LiveSpan, StreamClosed, StreamRef
from runspan.runtime.registry import RunRegistry
from runspan.runtime.tracker import Tracker
from tests.core.words import SERVER, S, run, said, seen


@dataclass
class Outbox:
    sent: list[tuple[Any, SpanData]]

    def send(self, where: Any, data: SpanData) -> bool:
        self.sent.append((where, data))
        return True


@dataclass
class Fetcher:
    asked: list[tuple[str, str]]

    def ask(self, via: BackgroundClient, key: Any, what: str, path: str, query: Mapping[str, Any]) -> None:
        self.asked.append((key.run_id, what))

    def is_paused(self, via: BackgroundClient) -> bool:
        return False

    def earn(self, server: str, calls: int) -> None: ...

    def prepare(self) -> None: ...

    def tend(self) -> None: ...

    def next_due_ns(self) -> int | None:
        return None


class Desk:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.now_ns = 1_000 * S
        monkeypatch.setattr(clock, "now_ns", lambda: self.now_ns)
        monkeypatch.setattr(clock, "wall_offset_ns", lambda: 0)
        self.outbox, self.fetcher = Outbox([]), Fetcher([])
        config = resolve(options, {})
        texts = Texts(config.capture_content, config.redact, config.limits.max_text_chars)
        self.tracker = Tracker(config, texts, Lru(100), self.outbox, self.fetcher, RunRegistry())  # type: ignore[arg-type]
        self.scheduler = self.tracker.scheduler

    def call(self, run_id: str = "run_1", **fields: Any) -> Call:
        matched = match("post", "/threads/thread_1/runs")
        assert matched is not None
        live = LiveSpan(INVALID_SPAN, None, None)
        call = Call(
            API,
            matched,
            SERVER,
            self.now_ns,
            self.now_ns,
            live=live,
            via=BackgroundClient("server", 1, lambda *_: None),
        )
        return replace(call, **fields)

    def begin(
        self, run_id: str = "run_1", conversation_id: str = "thread_1", via: bool = True, **fields: Any
    ) -> Live:
        call = self.call(run_id) if via else self.call(run_id, via=None)
        first = self.seen(run("queued", id=run_id, conversation_id=conversation_id, **fields))
        live = self.tracker.begin(call, RunRequest(), first)
        assert live is not None
        self.tracker.observe(SERVER, first)
        return live

    def seen(self, *runs: Run, source: Source = Source.CALL, **what: Any) -> Observation:
        found = seen(self.now_ns, self.now_ns, *runs, source=source, **what)
        return replace(found, conversation_id=runs[0].conversation_id if runs else found.conversation_id)

    def hear(self, status: str, run_id: str = "run_1", weight: int = 0, **fields: Any) -> None:
        self.tracker.observe(SERVER, self.seen(run(status, id=run_id, **fields)), weight)

    def whole(self, run_id: str = "run_1", conversation_id: str = "thread_1") -> None:
        """Begin a run on a new thread, watch its stream to the end, read its steps: nothing can come any more."""
        first = replace(
            self.seen(run("queued", id=run_id, conversation_id=conversation_id)), created_conversation=True
        )
        assert self.tracker.begin(self.call(run_id), RunRequest(stream=True), first)
        self.tracker.observe(SERVER, first)
        answer = said("a", f"{run_id}/m", role="assistant", run_id=run_id)
        told = {"conversation_id": conversation_id, "run_id": run_id}
        self.tracker.observe(SERVER, replace(self.seen(messages=(answer,), source=Source.STREAM), **told))
        over = self.seen(run("completed", id=run_id, conversation_id=conversation_id), source=Source.STREAM)
        self.tracker.observe(SERVER, over)
        self.tracker.observe(SERVER, replace(self.seen(all_steps=True), **told))

    def stream(self, live: Live) -> StreamRef:
        live.open_streams += 1
        return StreamRef.of(self.call(live.key.run_id), live.key.run_id, live.key.conversation_id)

    def close(self, live: Live, stream: StreamRef) -> None:
        self.tracker.stream_closed(live, stream, StreamClosed(stream, self.now_ns), None)

    def answer(self, what: str, run_id: str = "run_1", status: str | None = None) -> None:
        """The GET asked for came back, with the run in `status` or with nothing."""
        found = self.seen(run(status, id=run_id), source=Source.FETCH) if status else None
        (key,) = [k for k in self.tracker._live if k.run_id == run_id]
        self.tracker.fetched(key, what, found)

    def wait(self, seconds: float) -> None:
        """Time goes by; whatever rings in between is done at its time."""
        end_ns = self.now_ns + int(seconds * S)
        while (due_ns := self.scheduler.next_due_ns()) is not None and due_ns <= end_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.scheduler.tick(self.now_ns)
        self.now_ns = end_ns
        self.scheduler.tick(end_ns)

    @property
    def emitted(self) -> list[tuple[str, str | None]]:
        """(run id, why unfinished) of every run span that went out."""
        found = []
        for _, data in self.outbox.sent:
            assert isinstance(data.facts, RunFacts)
            assert data.facts.run is not None
            found.append((data.facts.run.id, data.facts.unfinished))
        return found
