"""How far behind its server an app is that reads a stream: what it need not wait for may have lain in a buffer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runspan.adapters.assistants import match
from runspan.patches import taps
from runspan.patches.taps import DELTAS_A_LOOK, ChunkTap, Tap
from runspan.runtime.records import Call, StreamChunk, StreamClosed, StreamEvent, StreamRef
from tests.core.words import SERVER

MS = 1_000_000
CREATED, COMPLETED, DELTA = "thread.run.created", "thread.run.completed", "thread.message.delta"


class Reader:
    """An app that does something else for a while, asks for an event, and waits for it a while."""

    def __init__(self, kind: type[Tap], monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        for clock in ("now_ns", "counter_ns"):
            monkeypatch.setattr(taps, clock, lambda: self.now_ns)
        matched = match("post", "/threads/t/runs")
        assert matched is not None
        self.records: list[Any] = []
        self.stream = StreamRef(Call(matched, SERVER, request_ns=5))
        self.tap = kind(self.records.append, self.stream, lambda _: None, lambda *_: None)

    def reads(self, name: str, works_ms: float = 0, waits_ms: float = 0) -> None:
        self.asks(works_ms, waits_ms)
        data: Any = {"id": "run_1", "thread_id": "t", "status": "queued"}
        self.tap.see(SimpleNamespace(event=name, data=data))

    def asks(self, works_ms: float, waits_ms: float) -> None:
        self.now_ns += int(works_ms * MS)
        self.tap.asked_ns = self.now_ns
        self.now_ns += int(waits_ms * MS)

    def told(self) -> list[tuple[int | None, int]]:
        self.tap.close()
        kinds = (StreamEvent, StreamChunk, StreamClosed)
        return [(r.since_ns, r.at_ns) for r in self.records if isinstance(r, kinds)]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    return Reader(Tap, monkeypatch)


def test_an_app_that_waits_for_each_event_knows_when_each_was_sent(reader: Reader) -> None:
    reader.reads(CREATED, 1, 30)
    reader.reads(COMPLETED, 500, 20)
    reader.asks(0, 2)
    assert reader.told() == [(31 * MS, 31 * MS), (551 * MS, 551 * MS), (553 * MS, 553 * MS)]


def test_what_was_there_already_may_have_been_there_since_the_app_waited_last(reader: Reader) -> None:
    reader.reads(CREATED, 1, 0.5)
    reader.reads(CREATED, 500, 20)
    reader.reads(COMPLETED, 500, 0.9)
    reader.asks(500, 0)
    assert reader.told() == [
        (5, int(1.5 * MS)),  # since the request
        (int(521.5 * MS), int(521.5 * MS)),
        (int(521.5 * MS), int(1_022.4 * MS)),
        (int(521.5 * MS), int(1_522.4 * MS)),
    ]


def test_deltas_are_looked_at_now_and_then(reader: Reader) -> None:
    for _ in range(DELTAS_A_LOOK + 1):
        reader.reads(DELTA, 10, 5)
    assert (reader.stream.first_token_since_ns, reader.stream.first_token_ns) == (15 * MS, 15 * MS)
    reader.reads(COMPLETED, 10, 0)
    last_look_ns = (DELTAS_A_LOOK + 1) * 15 * MS
    assert reader.told()[0] == (last_look_ns, last_look_ns + 10 * MS)


def test_the_first_delta_of_an_app_that_is_late_came_some_time_before(reader: Reader) -> None:
    reader.reads(CREATED, 0, 3)
    reader.reads(DELTA, 700, 0)
    assert (reader.stream.first_token_since_ns, reader.stream.first_token_ns) == (3 * MS, 703 * MS)


def test_where_nobody_noted_when_the_app_asked_the_arrival_counts(reader: Reader) -> None:
    reader.now_ns = 700 * MS
    reader.tap.see(SimpleNamespace(event=CREATED, data={"id": "run_1"}))
    assert reader.told() == [(700 * MS, 700 * MS)] * 2


def test_bytes_are_as_late_as_their_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(ChunkTap, monkeypatch)
    for works_ms, waits_ms in ((0, 3), (700, 0)):
        reader.asks(works_ms, waits_ms)
        reader.tap.see(b"event: x\n\n")
    assert reader.told()[:2] == [(3 * MS, 3 * MS), (3 * MS, 703 * MS)]
