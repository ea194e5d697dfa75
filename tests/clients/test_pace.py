"""How far behind its server an app is that reads a stream: what it need not wait for may have lain in a buffer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.clients import pace
from runspan.clients.pace import Pace
from runspan.clients.taps import ChunkTap, Tap
from runspan.runtime.records import Call, StreamChunk, StreamClosed, StreamEvent, StreamRef
from tests.core.words import SERVER

MS = 1_000_000
CREATED, COMPLETED, DELTA = "thread.run.created", "thread.run.completed", "thread.message.delta"


class Reader:
    """An app that does something else for a while, asks for bytes, and waits for them a while. Its clock begins at 1 ms."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = MS
        for clock in ("now_ns", "counter_ns"):
            monkeypatch.setattr(pace, clock, lambda: self.now_ns)
        self.pace = Pace(5)

    def reads(self, works_ms: float, waits_ms: float) -> tuple[float, float]:
        """Between which moments the server may have sent what came now, in ms."""
        self.now_ns += int(works_ms * MS)
        asked = self.now_ns
        self.now_ns += int(waits_ms * MS)
        self.pace.got(asked)
        return self.moment()

    def moment(self) -> tuple[float, float]:
        since_ns, at_ns = self.pace.moment()
        return since_ns / MS, at_ns / MS


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    return Reader(monkeypatch)


def test_an_app_that_waits_for_its_bytes_knows_when_they_were_sent(reader: Reader) -> None:
    assert [reader.reads(0, 30), reader.reads(10, 20), reader.reads(60, 20)] == [
        (31, 31),
        (61, 61),
        (141, 141),
    ]


def test_what_was_there_already_may_have_been_there_since_the_app_waited_last(reader: Reader) -> None:
    assert reader.reads(1, 0.5) == (5 / MS, 2.5), "since the request"
    assert reader.reads(40, 20) == (62.5, 62.5)
    assert reader.reads(500, 0.9) == (62.5, 563.4)
    assert reader.reads(500, 0) == (62.5, 1_063.4)
    assert reader.reads(1, 20) == (1_084.4, 1_084.4), "it has caught up"


def test_a_read_that_takes_longer_on_a_busy_machine_is_no_proof(reader: Reader) -> None:
    reader.reads(0, 20)
    assert reader.reads(500, 12) == (21, 533)


def test_events_of_one_read_are_as_old_as_that(reader: Reader) -> None:
    reader.reads(0, 20)
    reader.now_ns += MS // 2
    assert reader.moment() == (21.5, 21.5)
    reader.now_ns += 700 * MS
    assert reader.moment() == (21, 721.5)


def test_where_no_read_was_seen_the_present_counts(reader: Reader) -> None:
    reader.now_ns = 700 * MS
    assert reader.moment() == (700, 700)


# ---------------------------------------------------------------- what the taps tell of it


def tapped(kind: type[Tap], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, StreamRef, list[Any]]:
    matched = match("post", "/threads/t/runs")
    assert matched is not None
    records: list[Any] = []
    stream = StreamRef.of(Call(API, matched, SERVER, request_ns=5))
    tap = kind(records.append, stream, lambda _: None, lambda *_: None)
    monkeypatch.setattr(Pace, "moment", lambda _: (3, 8))
    return tap, stream, records


def test_each_record_of_typed_events_says_when_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    tap, stream, records = tapped(Tap, monkeypatch)
    for name in (CREATED, DELTA, COMPLETED):
        tap.see(SimpleNamespace(event=name, data={"id": "run_1", "thread_id": "t", "status": "queued"}))
    tap.close()
    told = [(r.since_ns, r.at_ns) for r in records if isinstance(r, StreamEvent | StreamClosed)]
    assert told == [(3, 8)] * 3
    assert (stream.first_token_since_ns, stream.first_token_ns) == (3, 8)


def test_and_so_does_each_record_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    tap, _, records = tapped(ChunkTap, monkeypatch)
    tap.see(b"event: x\n\n")
    tap.close()
    told = [(r.since_ns, r.at_ns) for r in records if isinstance(r, StreamChunk | StreamClosed)]
    assert told == [(3, 8)] * 2
