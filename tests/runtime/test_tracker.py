"""Live runs: emitted once, bounded, looked after, forgotten."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from runspan.core.model import Listing, RunFacts, RunRequest, RunStep, Source, ToolCall
from runspan.runtime.live_run import BASE_WEIGHT
from tests.core.words import SERVER, A, S, run, said
from tests.runtime.desk import Desk

Make = Callable[..., Desk]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(**options: Any) -> Desk:
        return Desk(monkeypatch, **options)

    return make


# ---------------------------------------------------------------- once


def test_a_run_that_is_whole_goes_out_at_once_and_once(make: Make) -> None:
    desk = make()
    desk.whole()
    assert desk.emitted == [("run_1", None)]
    for status in ("completed", "in_progress", "failed"):
        desk.hear(status)
    desk.tracker.emit_over()
    desk.tracker.emit_all()
    desk.wait(10_000)
    assert desk.emitted == [("run_1", None)]
    assert desk.fetcher.asked == []


def test_an_answer_of_a_run_that_was_seen_over_is_an_input_of_the_next_run(make: Make) -> None:
    """Though the next one was made in the same second, and no message of a user stands behind the answer."""
    desk = make()
    for run_id in ("run_1", "run_2"):
        desk.begin(run_id)
        desk.wait(0.1)
        desk.hear("completed", run_id)
        answer = said("of " + run_id, run_id, role="assistant", run_id=run_id, created_at=A)
        desk.tracker.observe(SERVER, desk.seen(messages=(answer,)))
        desk.wait(0.1)
    desk.tracker.emit_all()
    facts = [data.facts for _, data in desk.outbox.sent]
    given = [[m.parts[0].text for m in of.inputs] for of in facts if isinstance(of, RunFacts)]
    assert given == [[], ["of run_1"]]


def test_a_new_create_with_a_known_id_is_a_new_run(make: Make) -> None:
    desk = make()
    desk.whole()
    desk.whole()
    assert desk.emitted == [("run_1", None)] * 2
    desk.begin()
    desk.begin()
    assert desk.emitted == [("run_1", None)] * 2 + [("run_1", "evicted")]
    assert desk.tracker.live == 1


def test_runs_of_others_make_nothing(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    desk = make()
    caplog.set_level(logging.INFO, "runspan")
    for i in range(100):
        desk.hear("completed", f"old_{i}")
    desk.wait(10_000)
    assert (desk.emitted, desk.tracker.live, desk.fetcher.asked) == ([], 0, [])
    assert not caplog.records
    assert desk.tracker.is_foreign(SERVER, run("queued", id="old_1"))


def test_a_run_that_is_not_recorded_is_not_followed_nor_foreign(make: Make) -> None:
    desk = make()
    call = desk.call(live=None)
    assert desk.tracker.begin(call, RunRequest(), desk.seen(run("queued"))) is None
    desk.hear("completed")
    assert (desk.emitted, desk.tracker.live) == ([], 0)
    assert not desk.tracker.is_foreign(SERVER, run("queued"))


def test_every_run_is_counted_as_one_thing(make: Make) -> None:
    desk = make(max_live_runs=2)
    desk.whole("run_0")
    for i in range(1, 5):
        desk.begin(f"run_{i}")
    counts = desk.tracker.counts
    assert (counts.started, counts.emitted, counts.unfinished, desk.tracker.live) == (5, 1, 2, 2)


# ---------------------------------------------------------------- linger and fetch


def test_what_is_missing_is_fetched_a_linger_after_the_end(make: Make) -> None:
    desk = make(settle_s=1.0)
    desk.begin(tools=({"type": "code_interpreter"},))
    desk.hear("completed", tools=({"type": "code_interpreter"},))
    desk.wait(0.9)
    assert desk.fetcher.asked == []
    desk.wait(0.2)
    assert desk.fetcher.asked == [("run_1", "messages"), ("run_1", "steps")]
    desk.answer("messages")
    assert desk.emitted == []
    desk.answer("steps")
    assert desk.emitted == [("run_1", None)]


def test_what_the_app_reads_itself_within_the_linger_is_not_fetched(make: Make) -> None:
    desk = make(settle_s=1.0)
    desk.begin()
    desk.hear("completed")
    desk.now_ns += S // 2
    page = desk.seen(messages=(said("q", "m1", created_at=A),), listing=Listing(True, True))
    desk.tracker.observe(SERVER, page)
    assert desk.emitted == [], "it may read the steps, too"
    desk.wait(0.6)
    assert desk.emitted == [("run_1", None)]
    assert desk.fetcher.asked == []


@pytest.mark.parametrize(
    "order", [("end", "messages", "steps"), ("end", "steps", "messages"), ("steps", "end", "messages")]
)
def test_a_run_of_which_all_was_read_goes_out_at_once_in_whatever_order(
    make: Make, order: tuple[str, ...]
) -> None:
    desk = make(settle_s=1.0)
    desk.begin()
    step = RunStep("step_1", "tool_calls", tool_calls=(ToolCall("call_1", "function", "f", "{}", "42"),))
    for what in order:
        assert desk.emitted == []
        desk.now_ns += S // 10
        if what == "end":
            desk.hear("completed")
        elif what == "steps":
            desk.tracker.observe(SERVER, desk.seen(steps=(step,), all_steps=True, run_id="run_1"))
        else:
            page = desk.seen(messages=(said("q", "m1", created_at=A),), listing=Listing(True, True))
            desk.tracker.observe(SERVER, page)
    assert desk.emitted == [("run_1", None)]
    ((_, data),) = desk.outbox.sent
    assert [child.operation for child in data.children] == ["chat", "execute_tool"]


@pytest.mark.parametrize(("told", "asked"), [(True, []), (False, [("run_1", "steps")])])
def test_steps_that_no_stream_told_of_are_fetched_where_there_are_tools_on_the_server(
    make: Make, told: bool, asked: list[tuple[str, str]]
) -> None:
    desk = make(settle_s=1.0, capture_content=False)
    tools = ({"type": "code_interpreter"},)
    first = desk.seen(run("queued", tools=tools))
    assert desk.tracker.begin(desk.call(), RunRequest(stream=True), first)
    if told:
        desk.tracker.observe(
            SERVER, desk.seen(steps=(RunStep("step_1", "message_creation"),), run_id="run_1")
        )
    desk.tracker.observe(SERVER, desk.seen(run("completed", tools=tools), source=Source.STREAM))
    desk.wait(2)
    assert desk.fetcher.asked == asked


def test_with_fetch_never_a_run_goes_out_after_the_linger_and_nothing_is_asked(make: Make) -> None:
    desk = make(fetch="never", settle_s=1.0)
    desk.begin()
    desk.hear("completed")
    desk.begin("run_2")
    desk.wait(1.1)
    assert desk.emitted == [("run_1", None)]
    desk.wait(10_000)
    assert desk.emitted == [("run_1", None), ("run_2", "expired_unseen")]
    assert desk.fetcher.asked == []


def test_without_capture_no_messages_are_fetched_nor_kept(make: Make) -> None:
    desk = make(capture_content=False)
    desk.begin()
    desk.tracker.observe(SERVER, desk.seen(messages=(said("q", "m1"),)))
    desk.hear("completed")
    desk.wait(2)
    assert desk.emitted == [("run_1", None)]
    past = desk.tracker._logs._past
    assert (desk.fetcher.asked, len(past)) == ([], 1)
    assert past.get((SERVER.base_url, "thread_1")).messages == ()  # type: ignore[union-attr]


def test_an_ended_run_whose_fetch_is_never_answered_goes_out_when_its_time_is_up(make: Make) -> None:
    desk = make()
    desk.begin()
    desk.hear("completed")
    desk.wait(10)
    assert desk.fetcher.asked == [("run_1", "messages")]
    desk.wait(3_600)
    assert desk.emitted == [("run_1", None)]


# ---------------------------------------------------------------- bounds


def test_the_oldest_goes_where_there_are_too_many(make: Make) -> None:
    desk = make(max_live_runs=3)
    for i in range(5):
        desk.begin(f"run_{i}")
    assert desk.emitted == [("run_0", "evicted"), ("run_1", "evicted")]


def test_the_oldest_goes_where_they_weigh_too_much_also_between_begins(make: Make) -> None:
    desk = make(max_live_bytes=4 * BASE_WEIGHT)
    desk.begin("run_0")
    desk.begin("run_1")
    steps = desk.seen(run_id="run_1", steps=(RunStep("s1", "tool_calls"),))
    desk.tracker.observe(SERVER, steps, 3 * BASE_WEIGHT)
    assert desk.emitted == [("run_0", "evicted")]


def test_messages_count_where_they_are_kept(make: Make) -> None:
    """They come with pages, which name no run."""
    desk = make(max_live_bytes=4 * BASE_WEIGHT)
    desk.begin("run_0", "thread_0")
    desk.begin("run_1")
    big = tuple(said("x" * BASE_WEIGHT, f"m{i}") for i in range(4))
    desk.tracker.observe(SERVER, desk.seen(messages=big), 4 * BASE_WEIGHT)
    assert desk.emitted[:1] == [("run_0", "evicted")]


def test_a_thousand_polls_weigh_nothing(make: Make) -> None:
    """The helpers poll with raw responses: 2 KB each, of which nothing is kept."""
    desk = make(max_live_bytes=100 * BASE_WEIGHT)
    desk.begin("run_0")
    for _ in range(1_000):
        desk.hear("in_progress", "run_0", weight=2_000)
    desk.begin("run_1")
    assert desk.emitted == []


@pytest.mark.parametrize(
    ("created_at", "expires_at", "seconds"),
    [(A, A + 600, 660), (A, None, 960), (None, A, 960), (A, A - 5, 960), (A, A + 10**9, 960)],
)
def test_time_to_live(make: Make, created_at: int | None, expires_at: int | None, seconds: int) -> None:
    desk = make(fetch="never")
    desk.begin(created_at=created_at, expires_at=expires_at)
    desk.wait(seconds - 1)
    assert desk.emitted == []
    desk.wait(2)
    assert desk.emitted == [("run_1", "expired_unseen")]


def sizes(desk: Desk) -> dict[str, int]:
    everything = {**vars(desk.tracker), **vars(desk.tracker._logs), **vars(desk.scheduler)}
    return {name: len(value) for name, value in everything.items() if hasattr(value, "__len__")}


def test_nothing_grows_with_the_number_of_runs(make: Make) -> None:
    desk = make()
    grown: list[dict[str, int]] = []
    for half in range(2):
        for i in range(2_500):
            desk.whole(f"run_{half}_{i}", f"thread_{half}_{i}")
        desk.outbox.sent.clear()
        desk.wait(3_600)
        grown.append(sizes(desk))
    of_live = dict.fromkeys(("_live", "_keys", "_held", "_timers", "registry"), 0)
    assert {name: grown[1][name] for name in of_live} == of_live
    assert grown[1]["_past"] == grown[0]["_past"] == 2_000
    assert grown[1]["_done"] <= 20_000
    assert desk.tracker._weight == desk.tracker._logs.weight == 0


def test_timers_of_runs_that_went_out_do_not_pile_up(make: Make) -> None:
    """Also within the time to live: a server that runs a hundred runs a second begins 60,000 in ten minutes."""
    desk = make()
    for i in range(3_000):
        desk.whole(f"run_{i}", f"thread_{i % 10}")
    assert len(desk.scheduler._timers) < 2_500


def test_two_runs_at_once_on_two_servers_with_the_same_ids_are_two(make: Make) -> None:
    desk = make()
    desk.begin()
    other = replace(SERVER, base_url="http://other.test/v1")
    first = desk.seen(run("queued"))
    assert desk.tracker.begin(desk.call(server=other), RunRequest(), first)
    desk.tracker.observe(other, desk.seen(run("completed")))
    desk.wait(2)
    assert desk.tracker.live == 2
    assert [k.server for k, v in desk.tracker._live.items() if v.state.is_over] == [other.base_url]
