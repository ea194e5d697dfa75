from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runspan.viewer.store import Bounds, RunFilter, Store, rows
from runspan.viewer.store.insert import insert
from runspan.viewer.store.prune import Pruner, transaction, used_bytes
from runspan.viewer.store.schema import open_file

from ..runs import a_run
from ..wire import PROTOBUF, export

ROOM = 1_500_000  # bytes
RUNS = 150  # more than twice what fits


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_file(tmp_path / "traces.db")
    yield opened
    opened.close()


def put(db: sqlite3.Connection, n: int, noise: random.Random) -> None:
    """A run with words of its own, which neither compress nor repeat."""
    text = " ".join(noise.randbytes(5).hex() for _ in range(300))
    with transaction(db):
        insert(db, rows.traces(export(*a_run(n, f"word{n} {text}")), PROTOBUF))


def kept(db: sqlite3.Connection) -> list[int]:
    return [int(run.removeprefix("run_")) for (run,) in db.execute("SELECT run_id FROM runs ORDER BY id")]


def prune(pruner: Pruner, db: sqlite3.Connection) -> None:
    for _ in range(10_000):
        if not pruner.some(db):
            return
    raise AssertionError("it never ends")


@pytest.mark.parametrize("is_at_once", [True, False], ids=["at_the_end", "after_each"])
def test_the_oldest_traces_make_room_and_no_more_of_them_than_must(
    db: sqlite3.Connection, is_at_once: bool
) -> None:
    noise, pruner = random.Random(1), Pruner(Bounds(file_bytes=ROOM))
    for n in range(1, RUNS + 1):
        put(db, n, noise)
        if not is_at_once:
            prune(pruner, db)
            assert used_bytes(db) <= ROOM
    prune(pruner, db)
    left = kept(db)
    assert left == list(range(RUNS + 1 - len(left), RUNS + 1))
    assert 0.75 * ROOM < used_bytes(db) <= ROOM
    assert db.execute("SELECT count(*) FROM spans").fetchone() == (4 * len(left),)


def test_words_go_with_their_traces_also_from_the_file(db: sqlite3.Connection) -> None:
    noise, pruner = random.Random(1), Pruner(Bounds(file_bytes=ROOM))
    for n in range(1, RUNS + 1):
        put(db, n, noise)
    prune(pruner, db)
    found = "SELECT count(*) FROM words WHERE words MATCH ?"
    assert db.execute(found, ("word1",)).fetchone() == (0,)
    assert db.execute(found, (f"word{RUNS}",)).fetchone()[0] > 0
    before = used_bytes(db)
    db.execute("INSERT INTO words (words) VALUES ('optimize')")
    assert used_bytes(db) > 0.85 * before  # little was left to gain
    db.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_who_is_far_beyond_is_known(db: sqlite3.Connection) -> None:
    put(db, 1, random.Random(1))
    used = used_bytes(db)
    assert not Pruner(Bounds(file_bytes=used - 1)).is_far_beyond(db)
    assert Pruner(Bounds(file_bytes=used // 2)).is_far_beyond(db)


def until(done: object, timeout_s: float = 60.0) -> None:
    assert callable(done)
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_writer_keeps_a_store_within_its_bounds(
    db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runspan.viewer.store.writer.PRUNE_EVERY_S", 0.01)
    noise = random.Random(1)
    with Store(tmp_path / "traces.db", Bounds(file_bytes=1_000_000)) as store:
        for n in range(1, 200):
            text = noise.randbytes(3_000).hex()
            store.add(rows.traces(export(*a_run(n, f"word{n} {text}")), PROTOBUF)).result(60)
        until(lambda: used_bytes(db) <= 1_000_000)
        assert 0 < store.count_runs(RunFilter()) < 199


def test_what_was_not_heard_of_for_long_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runspan.viewer.store.writer.PRUNE_EVERY_S", 0.01)
    path = tmp_path / "traces.db"
    with Store(path) as store:
        store.add(rows.traces(export(*a_run(1)), PROTOBUF)).result(10)
        time.sleep(0.1)
        assert store.count_traces() == 1
    with Store(path, Bounds(age_s=-5)) as store:
        until(lambda: store.count_traces() == 0)
        until(lambda: store.select("SELECT count(*) FROM sources") == [(0,)] or store.count_spans() == 0)
