"""A run whose stream is open is not over, whoever says so; and one whose stream never ends is over all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.model import RunFacts, Source
from runspan.runtime.live_run import FIRST_LOOK_S, Live
from runspan.runtime.records import StreamRef
from tests.core.words import SERVER, A, S, run
from tests.runtime.desk import Desk

Make = Callable[..., Desk]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda **options: Desk(monkeypatch, **{"fetch": "never", "settle_s": 1.0, **options})


def streaming(desk: Desk) -> tuple[Live, StreamRef]:
    live = desk.begin(created_at=A)
    return live, desk.stream(live)


def event(desk: Desk, status: str, open_status: str | None = None, **fields: Any) -> None:
    seen = desk.seen(run(status, **fields), source=Source.STREAM)
    desk.tracker.observe(SERVER, replace(seen, open_status=open_status))


def span(desk: Desk) -> tuple[str | None, str | None, float]:
    """Status, why unfinished, and how many seconds the run lasted."""
    ((_, data),) = desk.outbox.sent
    assert isinstance(data.facts, RunFacts)
    assert data.facts.run is not None
    return data.facts.run.status, data.facts.unfinished, (data.end_ns - data.start_ns) / S


def test_a_run_that_is_called_completed_all_the_time_ends_where_its_stream_ends(make: Make) -> None:
    desk = make()
    live, stream = streaming(desk)
    for open_status in ("queued", "queued", "in_progress"):
        event(desk, "completed", open_status)
    desk.wait(20)
    assert (desk.emitted, live.state.is_over, live.state.run.status) == ([], False, "in_progress")
    event(desk, "completed")
    desk.tracker.stream_told(live, stream)
    desk.wait(2)
    assert span(desk) == ("completed", None, 20)


@pytest.mark.parametrize("is_stamped", [False, True])
def test_a_stream_that_tells_no_end_ends_a_run_that_was_said_to_be_over(make: Make, is_stamped: bool) -> None:
    desk = make()
    live, stream = streaming(desk)
    event(desk, "completed", "in_progress", ended_at=A if is_stamped else None)
    desk.wait(20)
    desk.close(live, stream)
    desk.wait(2)
    assert span(desk) == ("completed", None, 20)


def test_a_poll_from_elsewhere_does_not_end_a_run_whose_stream_is_read(make: Make) -> None:
    desk = make()
    live, stream = streaming(desk)
    desk.wait(5)
    desk.tracker.observe(SERVER, replace(desk.seen(run("completed")), polls=1))
    desk.wait(20)
    assert (desk.emitted, live.state.polls, live.state.is_over) == ([], 1, False)
    event(desk, "completed")
    desk.close(live, stream)
    desk.wait(2)
    assert span(desk) == ("completed", None, 25)


def test_a_poll_that_knows_when_the_run_ended_bounds_the_end_of_a_stream_read_slowly(make: Make) -> None:
    desk = make()
    live, stream = streaming(desk)
    desk.wait(5)
    desk.hear("completed", ended_at=A + 3)
    desk.wait(20)
    event(desk, "completed", ended_at=A + 3)
    desk.close(live, stream)
    desk.wait(2)
    assert span(desk) == ("completed", None, 3)
    assert live.state.noticed_ns == 1_005 * S


def test_a_forgotten_stream_does_not_keep_a_run_that_is_over(make: Make) -> None:
    desk = make()
    streaming(desk)
    desk.wait(5)
    desk.hear("completed")
    desk.wait(FIRST_LOOK_S - 1)
    desk.hear("completed")  # polled again and again
    assert desk.emitted == []
    desk.wait(3)
    assert span(desk) == ("completed", None, 65)


def test_what_was_said_holds_when_the_process_ends(make: Make) -> None:
    desk = make()
    _, _ = streaming(desk)
    event(desk, "completed", "queued")
    desk.wait(5)
    desk.tracker.emit_over()
    assert desk.emitted == [], "a flush cuts no open stream"
    desk.tracker.emit_all()
    assert span(desk) == ("completed", None, 5)


def test_behind_its_last_word_an_open_stream_is_not_waited_for(make: Make) -> None:
    """Apps leave their loop at `thread.run.completed`, and keep the stream in a variable."""
    desk = make()
    live, stream = streaming(desk)
    desk.wait(5)
    event(desk, "completed")
    desk.tracker.stream_told(live, stream)
    desk.wait(2)
    assert span(desk) == ("completed", None, 5)
    assert desk.tracker.get_by_key(live.key) is None


def test_a_stream_that_asked_for_tool_outputs_does_not_hold_back_what_polls_say(make: Make) -> None:
    desk = make()
    live, stream = streaming(desk)
    event(desk, "requires_action")
    desk.tracker.stream_told(live, stream)
    desk.tracker.stream_told(live, stream)
    desk.wait(5)
    desk.hear("in_progress")
    desk.hear("completed")
    assert live.state.is_over
    desk.wait(2)
    assert span(desk) == ("completed", None, 5)


def test_of_two_open_streams_the_last_one_ends_the_run(make: Make) -> None:
    desk = make()
    live, first = streaming(desk)
    second = desk.stream(live)
    event(desk, "completed", "queued")
    desk.wait(5)
    desk.close(live, first)
    desk.wait(5)
    assert desk.emitted == []
    desk.close(live, second)
    desk.wait(2)
    assert span(desk) == ("completed", None, 10)
