"""The wall clock jumps, or stands still: each run is stamped as the app's own spans around it are, and lasts as long as it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import opentelemetry.sdk.trace as sdk
import pytest
from tests.support.playing import BOTH, App, client_of, playing, spans_of_app_go_to
from tests.support.tracing import Traced, traced

import runspan
from runspan.core import run_context as lines
from runspan.runtime import clock

S = 1_000_000_000
HOUR = 3_600 * S
FROZEN_NS = 1_400_000_000 * S
real_time_ns = time.time_ns

Wall = Callable[[], int]
WALLS: dict[str, Wall] = {
    "as it was": real_time_ns,
    "slept for 8 hours": lambda: real_time_ns() + 8 * HOUR,
    "set back by 8 hours": lambda: real_time_ns() - 8 * HOUR,
    "set forth by 3 seconds": lambda: real_time_ns() + 3 * S,
    "set back by 3 seconds": lambda: real_time_ns() - 3 * S,
    "frozen": lambda: FROZEN_NS,
}


def set_wall(patch: pytest.MonkeyPatch, wall: Wall) -> None:
    """For everybody in this process: the app, the SDK of OpenTelemetry, us."""
    patch.setattr(time, "time_ns", wall)
    patch.setattr(sdk, "time_ns", wall)


def check(trace: Traced, jump: str, began_ns: int, lasted_ns: int) -> None:
    """The run lies where its parent, which the SDK stamped, began; and all that belongs to it lies inside it."""
    run, generation = trace.run(), trace.generation()
    (parent,) = [s for s in trace.spans() if s.name == "create"]
    assert None not in (run.start_time, run.end_time, parent.start_time)
    assert abs(run.start_time - parent.start_time) < S, f"{jump}: {run.start_time - parent.start_time}"  # type: ignore[operator]
    assert began_ns - S < run.start_time < began_ns + lasted_ns + S  # type: ignore[operator]
    assert 0 <= run.end_time - run.start_time <= lasted_ns  # type: ignore[operator]
    moments = [run.start_time, generation.start_time, generation.end_time, run.end_time]
    assert moments == sorted(moments)  # type: ignore[type-var]
    assert all(run.start_time <= event.timestamp <= run.end_time for event in run.events)  # type: ignore[operator]


@pytest.mark.parametrize("jump", WALLS)
@pytest.mark.parametrize("kind", BOTH)
def test_a_run_after_a_jump_of_the_wall_clock_has_its_time(
    kind: str, jump: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def case(app: App) -> None:
        await app.polled(await app.started())
        await app.listed()

    with (
        playing(kind) as app,
        traced() as trace,
        spans_of_app_go_to(trace.provider),
        monkeypatch.context() as patch,
    ):
        set_wall(patch, WALLS[jump])
        began_ns, since_ns = time.time_ns(), time.monotonic_ns()
        app.play(case)
        check(trace, jump, began_ns, time.monotonic_ns() - since_ns)


@pytest.mark.parametrize("jump", WALLS)
def test_a_jump_during_a_run_does_not_bend_it(jump: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def case(app: App) -> None:
        run = await app.started()
        set_wall(monkeypatch, WALLS[jump])
        await app.polled(run)

    with playing("OpenAI") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        began_ns, since_ns = time.time_ns(), time.monotonic_ns()
        app.play(case)
        lasted_ns = time.monotonic_ns() - since_ns
        monkeypatch.undo()
        check(trace, jump, began_ns, lasted_ns)


def test_two_runs_with_a_night_between_them_are_a_night_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case(app: App) -> None:
        await app.polled(await app.started())
        set_wall(monkeypatch, WALLS["slept for 8 hours"])
        await app.polled(await app.started())

    with playing("OpenAI") as app, traced() as trace, spans_of_app_go_to(trace.provider):
        app.play(case)
        evening, morning = trace.runs()
        assert 8 * HOUR <= morning.start_time - evening.start_time < 8 * HOUR + 60 * S  # type: ignore[operator]


def test_what_travels_to_another_process_is_the_wall_clock_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """That one has a clock of its own, which did not sleep."""

    async def case(app: App) -> None:
        set_wall(monkeypatch, WALLS["slept for 8 hours"])
        run = await app.started()
        app.seen["headers"] = runspan.handoff(run.id)
        app.seen["run"] = run

    async def elsewhere(app: App) -> None:
        run = app.seen["run"]
        runspan.adopt(run.id, app.seen["headers"])
        await app.polled(run)

    with playing("OpenAI") as app, spans_of_app_go_to(sdk.TracerProvider()):
        with traced():
            app.play(case)
            sent = lines.decode(app.seen["headers"]["runspan"])
            assert sent is not None
            assert abs(sent.request_ns - time.time_ns()) < 60 * S
        monkeypatch.undo()
        set_wall(monkeypatch, WALLS["slept for 8 hours"])
        app.client = client_of(app.kind, app.server)
        with traced() as trace:
            app.play(elsewhere)
            run: Any = trace.run()
            assert abs(run.start_time - sent.request_ns) < 1_000_000
            assert run.start_time <= run.end_time < run.start_time + 60 * S


def test_the_clock_of_runs_is_not_frozen_with_the_names_of_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """freezegun puts others in the place of these."""
    monkeypatch.setattr(time, "perf_counter_ns", lambda: FROZEN_NS)
    monkeypatch.setattr(time, "monotonic_ns", lambda: FROZEN_NS)
    before_ns = clock.now_ns()
    assert clock.now_ns() > before_ns
    assert abs(before_ns - real_time_ns()) < HOUR


def test_clocks_that_agree_to_a_millisecond_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two spans in a row would be moved by different nanoseconds."""
    monkeypatch.setattr(clock, "now_ns", lambda: 5 * S)
    for apart_ns, offset_ns in ((0, 0), (999_999, 0), (-999_999, 0), (1_000_000, 1_000_000), (-S, -S)):
        monkeypatch.setattr(time, "time_ns", lambda apart_ns=apart_ns: 5 * S + apart_ns)
        assert clock.wall_offset_ns() == offset_ns
