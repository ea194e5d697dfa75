"""An app that reads a stream slowly: its run lasts as long as it did on the server, to within what is said to be uncertain.

The server sends all events at once, so the truth is known: everything had happened when the app got the first of them. The clocks
of the streams are moved on in place of a sleep.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.odd_objects import MESSAGE, OVER, RUN, STEP, serve
from tests.support.odd_server import odd_server
from tests.support.playing import BOTH, App, client_of
from tests.support.tracing import attribute, traced

from runspan.clients import pace
from runspan.runtime import clock

S = 1_000_000_000
A = RUN["created_at"]
STAMPS = {
    "stamped": {"created_at": A, "started_at": A, "completed_at": A},
    "without stamps": {"created_at": A, "started_at": None, "completed_at": None},
}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the app has slept, on every clock that a stream is read by."""
    total = [0]
    real_now_ns, real_counter_ns = clock.now_ns, clock.counter_ns
    monkeypatch.setattr(pace, "now_ns", lambda: real_now_ns() + total[0])
    monkeypatch.setattr(pace, "counter_ns", lambda: real_counter_ns() + total[0])
    return total


def objects(stamps: dict[str, Any]) -> dict[str, Any]:
    step = {**STEP, "created_at": A, "completed_at": stamps["completed_at"]}
    return {
        "run": {**RUN, **stamps, "completed_at": None},
        "waiting": RUN,
        "over": {**OVER, **stamps},
        "message": {**MESSAGE, "created_at": A},
        "step": step,
    }


@pytest.mark.parametrize("stamps", STAMPS)
@pytest.mark.parametrize("way", ["typed", "bytes"])
@pytest.mark.parametrize("kind", BOTH)
def test_the_span_lasts_as_long_as_the_run_did(kind: str, way: str, stamps: str, slept: list[int]) -> None:
    first_ns: list[int] = []

    async def case(app: App) -> None:
        asked = {"thread_id": "thread_1", "assistant_id": "asst_1", "stream": True}
        if way == "bytes":
            async with app.opened(app.runs.with_streaming_response.create(**asked)) as response:
                await read(app, response.iter_lines())
        else:
            await read(app, await app.got(app.runs.create(**asked)))

    async def read(app: App, stream: Any) -> None:
        if app.is_async:
            async for _ in stream:
                sleep()
        else:
            for _ in stream:
                sleep()

    def sleep() -> None:
        first_ns.append(clock.now_ns())
        slept[0] += S // 2

    with odd_server() as odd, traced() as trace:
        serve(odd, objects(STAMPS[stamps]))
        app = App(kind, client_of(kind, odd), odd)  # type: ignore[arg-type]
        began_ns = clock.now_ns()
        app.play(case)
        run, generation, (tool,) = trace.run(), trace.generation(), trace.tools()
        uncertain_ns = attribute(run, "runspan.run.end_uncertainty_s") * S
        lasted_ns = (run.end_time or 0) - (run.start_time or 0)
        assert slept[0] >= 4 * S
        assert lasted_ns - uncertain_ns / 2 <= first_ns[0] - began_ns, "the true length lies in what is said"
        if stamps == "stamped":
            assert uncertain_ns <= 2 * S + (first_ns[-1] - began_ns) + S, "the server's stamps bound it"
        assert attribute(generation, "gen_ai.response.time_to_first_chunk") <= lasted_ns / S
        moments = [run.start_time, tool.start_time, tool.end_time, run.end_time]
        assert moments == sorted(moments)  # type: ignore[type-var]
