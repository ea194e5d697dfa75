"""States as the clock goes, and the stamps they leave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from runspan.fake import FunctionCall, Message, Scenario, Server, SimulatedClock, Tools
from tests.fake.wire import FUNCTION, USER, call, events

T0 = 1_700_000_000
STEPPED = Scenario(phases=(Tools((FunctionCall(),), seconds=4.0), Message("Done.", seconds=3.0)), queue_s=2.0)
STAMPS = ("status", "created_at", "started_at", "completed_at", "expires_at")


def begun(server: Server, stream: bool = False) -> tuple[str, Any]:
    """A new run on a new thread -> (its path, the answer)."""
    assistant = call(server.base_url, "POST", "/assistants", {"model": "gpt-4o", "tools": [FUNCTION]})[2]
    thread = call(server.base_url, "POST", "/threads", {"messages": [USER]})[2]
    runs = f"/threads/{thread['id']}/runs"
    answer = call(server.base_url, "POST", runs, {"assistant_id": assistant["id"], "stream": stream})[2]
    return (runs if stream else f"{runs}/{answer['id']}"), answer


def test_a_run_goes_through_its_states_at_the_scenarios_times(fake: Callable[..., Server]) -> None:
    clock = SimulatedClock(T0, poll_step_s=None)
    server = fake(STEPPED, clock)
    path, run = begun(server)
    seen = [tuple(run[name] for name in STAMPS)]

    def look(seconds: float) -> None:
        clock.advance(seconds)
        polled = call(server.base_url, "GET", path)[2]
        seen.append(tuple(polled[name] for name in STAMPS))

    look(1.5)
    look(1.0)
    look(10.0)
    run = call(server.base_url, "GET", path)[2]
    call_id = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    outputs = {"tool_outputs": [{"tool_call_id": call_id, "output": "cake"}]}
    run = call(server.base_url, "POST", f"{path}/submit_tool_outputs", outputs)[2]
    seen.append(tuple(run[name] for name in STAMPS))
    look(2.0)
    look(100.0)
    assert seen == [
        ("queued", T0, None, None, T0 + 600),
        ("queued", T0, None, None, T0 + 600),
        ("in_progress", T0, T0 + 2, None, T0 + 600),
        ("requires_action", T0, T0 + 2, None, T0 + 600),
        ("queued", T0, T0 + 2, None, T0 + 600),
        ("in_progress", T0, T0 + 14, None, T0 + 600),
        ("completed", T0, T0 + 14, T0 + 17, None),
    ]
    steps = call(server.base_url, "GET", f"{path}/steps?order=asc")[2]["data"]
    assert [(one["created_at"], one["completed_at"]) for one in steps] == [
        (T0 + 2, T0 + 12),
        (T0 + 17, T0 + 17),
    ]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("text", "completed_at"),
        ("incomplete", "completed_at"),
        ("failed", "failed_at"),
        ("cancelled", "cancelled_at"),
        ("expired", None),
    ],
)
def test_each_end_has_its_stamp_and_its_usage(
    fake: Callable[..., Server], name: str, field: str | None
) -> None:
    server = fake(name)
    path, run = begun(server)
    assert run["usage"] is None
    for _ in range(5):
        run = call(server.base_url, "GET", path)[2]
    ends = {end: run[end] for end in ("completed_at", "failed_at", "cancelled_at") if run[end]}
    assert list(ends) == ([field] if field else [])
    assert run["usage"] is not None
    assert (run["expires_at"] is None) == (name != "expired")


def test_the_servers_clock_can_be_wrong(fake: Callable[..., Server]) -> None:
    server = fake("text", SimulatedClock(T0, offset_s=90.0))
    assert begun(server)[1]["created_at"] == T0 + 90


def test_a_stream_of_thirty_seconds_takes_none(fake: Callable[..., Server]) -> None:
    server = fake("slow", SimulatedClock(T0))
    run = events(begun(server, stream=True)[1])[-2][1]
    assert run["completed_at"] - run["created_at"] >= 30


def test_a_stream_waits_for_the_clock_and_hears_of_a_cancel(fake: Callable[..., Server]) -> None:
    clock = SimulatedClock(T0, poll_step_s=None)
    server = fake(Scenario(queue_s=30.0, cancel_s=1.0), clock)
    answers: list[Any] = []
    reader = threading.Thread(target=lambda: answers.append(begun(server, stream=True)))
    reader.start()
    while not any(thread.active for thread in list(server.state.threads.values())):
        reader.join(0.001)
    (thread,) = server.state.threads.values()
    assert thread.active
    run = thread.active.body
    call(server.base_url, "POST", f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    while reader.is_alive():
        clock.advance(2.0)
        reader.join(0.01)
    names = [name for name, _ in events(answers[0][1])]
    assert names[2:] == ["thread.run.cancelling", "thread.run.cancelled", "done"]


def test_a_run_nobody_answers_expires(fake: Callable[..., Server]) -> None:
    clock = SimulatedClock(T0, poll_step_s=None)
    server = fake("function", clock)
    path, _ = begun(server)
    clock.advance(1000)
    run = call(server.base_url, "GET", path)[2]
    assert (run["status"], run["expires_at"]) == ("expired", T0 + 600)
    (step,) = call(server.base_url, "GET", f"{path}/steps")[2]["data"]
    assert (step["status"], step["expired_at"]) == ("expired", T0 + 600)
