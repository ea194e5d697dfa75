"""Runs whose answers come while the process is about to end: they are read, behind what the end asks of the worker."""

from __future__ import annotations

import threading

import pytest
from tests.support.playing import BOTH, App, playing
from tests.support.tracing import attribute, traced

from runspan.runtime.records import WorkerTask


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("is_raw", [False, True])
def test_a_run_that_was_answered_before_the_end_is_told_by_its_answer(is_raw: bool, kind: str) -> None:
    async def case(app: App) -> None:
        runs = app.runs.with_raw_response if is_raw else app.runs
        await app.got(runs.create(**app.asked))

    with playing(kind) as app, traced() as trace:
        worker, reader, busy = trace.handle._worker, trace.handle._reader, threading.Event()
        worker.put(WorkerTask(lambda: busy.wait(30) and None))
        worker.put(WorkerTask(reader.give_up))  # what the end of the process asks first
        app.play(case)
        busy.set()
        assert trace.handle.flush(10)
        assert trace.exporter.get_finished_spans() == (), "the run lives"
        trace.handle.uninstrument()
        run = next(s for s in trace.exporter.get_finished_spans() if s.name.startswith("invoke_agent"))
    assert attribute(run, "runspan.run.id")
    assert trace.handle.stats().started == 1
