"""An app that reads a stream slowly: its run lasts as long as it did on the server, to within what is said to be uncertain."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.playing import BOTH, MODEL, App, client_of, here, spans_of_app_go_to
from tests.support.tracing import attribute, traced

from runspan.fake import CodeInterpreter, Message, Scenario, serve
from runspan.patches import streams, taps
from runspan.runtime import clock

S = 1_000_000_000
WORKED = Scenario(phases=(CodeInterpreter("1+1"), Message("It is 2.")))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the app has slept, added to every clock of ours: no test waits for it."""
    total = [0]
    real_now_ns, real_counter_ns = clock.now_ns, clock.counter_ns
    for module in (taps, streams):
        monkeypatch.setattr(module, "counter_ns", lambda: real_counter_ns() + total[0])
    monkeypatch.setattr(taps, "now_ns", lambda: real_now_ns() + total[0])
    return total


@pytest.mark.parametrize("way", ["typed", "bytes"])
@pytest.mark.parametrize("kind", BOTH)
def test_the_span_lasts_as_long_as_the_run_did(kind: str, way: str, slept: list[int]) -> None:
    async def case(app: App) -> None:
        await app.ask()
        with here("create"):
            if way == "bytes":
                call = app.runs.with_streaming_response.create(**app.asked, stream=True)
                async with app.opened(call) as response:
                    await read(app, response.iter_lines())
            else:
                await read(app, await app.got(app.runs.create(**app.asked, stream=True)))

    async def read(app: App, stream: Any) -> None:
        iterator = stream.__aiter__() if hasattr(stream, "__aiter__") else iter(stream)
        while True:
            try:
                await app.next_of(iterator)
            except (StopIteration, StopAsyncIteration):
                return
            slept[0] += S // 2

    with serve(WORKED) as server, traced() as trace, spans_of_app_go_to(trace.provider):
        app = App(kind, client_of(kind, server), server)
        with client_of("OpenAI", server) as setting_up:
            app.assistant_id = setting_up.beta.assistants.create(model=MODEL).id
            app.thread_id = setting_up.beta.threads.create().id
        since_ns = clock.now_ns()
        app.play(case)
        real_ns = clock.now_ns() - since_ns
        run, generation, (tool,) = trace.run(), trace.generation(), trace.tools()
        uncertain_ns = attribute(run, "runspan.run.end_uncertainty_s") * S
        lasted_ns = (run.end_time or 0) - (run.start_time or 0)
        assert slept[0] >= 5 * S
        assert lasted_ns - uncertain_ns / 2 <= real_ns + 1, "the true length lies in what is said"
        assert uncertain_ns <= 2 * S + real_ns + S, "the server's stamps bound it"
        assert attribute(generation, "gen_ai.response.time_to_first_chunk") <= lasted_ns / S
        moments = [run.start_time, tool.start_time, tool.end_time, run.end_time]
        assert moments == sorted(moments)  # type: ignore[type-var]
