"""Runs that change hands: what waits for them, what ends them, what is remembered of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

from runspan.apis import APIS
from runspan.apis.assistants import API
from runspan.apis.assistants.routes import match
from runspan.core.model import RunRequest, ToolCall
from runspan.core.redact import Texts
from runspan.core.run_context import KEY, RunContext, decode, encode
from runspan.runtime.call_spans import CallSpans, Counts
from runspan.runtime.emitter import Emitter
from runspan.runtime.handoffs import Handoffs
from runspan.runtime.live_run import DEFAULT_LIFE_S, GRACE_S
from runspan.runtime.records import Call, LiveSpan, WorkerTask
from tests.core.words import SERVER, S, run
from tests.runtime.desk import Desk

CARRIED = RunContext("1" * 32, "2" * 16, "3" * 16, 1, 900 * S, 901 * S, conversation_id="thread_1")
LIFE_S = DEFAULT_LIFE_S + GRACE_S


class Office(Desk):
    """A desk with a custody whose asks are done at once, or held back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        super().__init__(monkeypatch, **options)
        self.held: list[Callable[[], None]] | None = None
        emitter = Emitter(lambda: TracerProvider(shutdown_on_exit=False), 1_000)
        calls: Any = CallSpans(
            "auto", Texts(), self.tracker._agents, self.outbox, Counts(), self.tracker.dropped
        )  # type: ignore[arg-type]
        self.handoffs = Handoffs(self.tracker, emitter, calls, self._put, APIS)

    def _put(self, ask: WorkerTask) -> None:
        if self.held is None:
            ask.act()
        else:
            self.held.append(ask.act)

    def headers(self, carried: RunContext = CARRIED) -> dict[str, str]:
        return {KEY: encode(carried, 2_048)}

    def meet(self, status: str, run_id: str = "run_1", **fields: Any) -> None:
        seen = self.seen(run(status, id=run_id, **fields))
        self.handoffs.meet(SERVER, None, seen)
        self.tracker.observe(SERVER, seen)

    def is_balanced(self) -> bool:
        counts = self.tracker.counts
        return counts.started == counts.emitted + counts.unfinished + counts.handed_off + self.tracker.live


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(monkeypatch, fetch="never")


def begun(office: Office, run_id: str = "run_1", **span: Any) -> LiveSpan:
    """A run of this process whose span has an identity."""
    own = trace.SpanContext(int("a" * 32, 16), int("b" * 16, 16), False, trace.TraceFlags(1))
    live = LiveSpan(trace.NonRecordingSpan(own), Context(), None, office.now_ns, office.now_ns, **span)
    call = office.call(run_id, live=live)
    first = office.seen(run("queued", id=run_id))
    office.tracker.begin(call, RunRequest(), first)
    office.tracker.observe(SERVER, first)
    return live


# ---------------------------------------------------------------- adopted


def test_an_adopted_run_that_is_never_heard_of_goes_out_after_its_time_to_live(office: Office) -> None:
    office.handoffs.adopt("run_1", office.headers())
    office.wait(LIFE_S - 1)
    assert (office.emitted, office.tracker.live) == ([], 1)
    office.wait(2)
    assert office.emitted == [("run_1", "expired_unseen")]
    assert office.is_balanced()
    assert not office.handoffs.expected
    assert not office.tracker.registry


def test_an_adopted_run_that_is_read_alive_and_never_over_goes_out_after_its_time_to_live(
    office: Office,
) -> None:
    office.handoffs.adopt("run_1", office.headers())
    office.meet("queued")
    assert office.tracker.live == 1
    office.wait(LIFE_S + 1)
    assert office.emitted == [("run_1", "expired_unseen")]
    assert office.is_balanced()
    assert not office.handoffs.expected
    assert not office.tracker.registry


def test_adopted_runs_are_bounded_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(monkeypatch, max_live_runs=10)
    for i in range(50):
        office.handoffs.adopt(f"run_{i}", office.headers())
    assert office.tracker.live == 10
    assert office.emitted == [(f"run_{i}", "evicted") for i in range(40)]
    assert office.is_balanced()


def test_a_run_of_the_same_id_on_another_thread_is_another_run(office: Office) -> None:
    office.handoffs.adopt("run_1", office.headers())
    office.meet("queued")
    office.meet("completed", conversation_id="thread_2")
    assert office.tracker.live == 1
    office.meet("completed")
    office.tracker.emit_over()
    assert office.emitted == [("run_1", None)]


def test_a_creators_clock_that_is_ahead_begins_nothing_in_the_future(office: Office) -> None:
    ahead = RunContext(
        "1" * 32, "2" * 16, None, 1, 5_000 * S, 5_001 * S, waiting=(ToolCall("c", "function", "f"),)
    )
    office.handoffs.adopt("run_1", office.headers(ahead))
    office.meet("completed")
    office.tracker.emit_over()
    ((_, data),) = office.outbox.sent
    assert data.start_ns <= data.end_ns <= office.now_ns
    assert all(data.start_ns <= child.start_ns <= child.end_ns <= data.end_ns for child in data.children)


def test_the_request_counts_from_where_it_was_made(office: Office) -> None:
    office.handoffs.adopt("run_1", office.headers())
    office.meet("queued", created_at=1_700_000_000)
    office.meet("completed", created_at=1_700_000_000, ended_at=1_700_000_050)
    office.tracker.emit_over()
    ((_, data),) = office.outbox.sent
    assert data.start_ns == 900 * S
    assert data.end_ns == office.now_ns  # what the polls saw wins over stamps that contradict it


# ---------------------------------------------------------------- given away


def test_a_run_that_was_given_away_is_counted_and_forgotten(office: Office) -> None:
    live = begun(office)
    headers = office.handoffs.hand_off("run_1")
    carried = decode(headers[KEY])
    assert carried is not None
    assert (carried.trace_id, carried.span_id, carried.parent_id) == ("a" * 32, "b" * 16, None)
    assert (carried.request_ns, live.is_shared) == (1_000 * S, False)
    assert (office.tracker.live, office.tracker.counts.handed_off, office.emitted) == (0, 1, [])
    assert office.handoffs.hand_off("run_1") == headers
    office.meet("completed")
    office.wait(10_000)
    assert office.emitted == []
    assert office.is_balanced()


def test_the_end_that_comes_while_it_is_handed_off_is_not_emitted_here(office: Office) -> None:
    begun(office)
    office.held = []
    headers = office.handoffs.hand_off("run_1")
    office.meet("completed")
    office.tracker.emit_over()
    for act in office.held:
        act()
    assert office.emitted == []
    assert office.tracker.counts.handed_off == 1
    assert office.handoffs.hand_off("run_1") == headers
    assert office.is_balanced()


def test_a_run_that_went_out_can_not_be_given_away(office: Office) -> None:
    begun(office)
    office.meet("completed")
    of = office.tracker.registry.of_run("run_1")
    office.tracker.emit_over()
    assert office.emitted == [("run_1", None)]
    assert of is not None
    assert of.settle("handed") == "emitted"
    assert KEY not in office.handoffs.hand_off("run_1")


def test_a_run_that_is_not_recorded_gives_away_that_it_is_not(office: Office) -> None:
    own = trace.SpanContext(1, 2, False, trace.TraceFlags(0))
    office.tracker.registry.unsampled.put("run_1", own)
    assert office.handoffs.hand_off("run_1") == {"traceparent": f"00-{1:032x}-{2:016x}-00"}


# ---------------------------------------------------------------- shared


def shared(office: Office) -> Call:
    """The first sighting of a run that carries its identity."""
    matched = match("get", "/threads/thread_1/runs/run_1")
    assert matched is not None
    call = Call(API, matched, SERVER, office.now_ns, office.now_ns)
    found = run("queued", carried=encode(CARRIED, 512))
    assert office.handoffs.follow_shared(call, found) is not None
    office.tracker.observe(SERVER, office.seen(found))
    return call


@pytest.mark.parametrize("ends", ["time", "exit", "eviction"])
def test_a_shared_run_whose_end_is_not_seen_here_is_left_to_others(ends: str, office: Office) -> None:
    shared(office)
    assert (office.tracker.live, office.tracker.counts.started) == (1, 1)
    if ends == "time":
        office.wait(LIFE_S + 1)
    elif ends == "exit":
        office.tracker.emit_all()
    else:
        live = next(iter(office.tracker._live.values()))
        office.tracker.finish(live, live.ending("evicted"))
    assert (office.emitted, office.tracker.counts.handed_off) == ([], 1)
    assert office.is_balanced()


def test_a_shared_run_whose_end_is_seen_here_is_emitted_here(office: Office) -> None:
    shared(office)
    office.meet("completed")
    office.tracker.emit_over()
    assert office.emitted == [("run_1", None)]


def test_nobody_looks_at_shared_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(monkeypatch)
    begun(office, is_shared=True)
    office.wait(600)
    office.scheduler.expedite(look=True, alive=True)
    assert office.fetcher.asked == []


def test_a_shared_run_that_is_adopted_as_well_belongs_to_who_adopted_it(office: Office) -> None:
    shared(office)
    office.handoffs.adopt("run_1", office.headers())
    office.tracker.emit_all()
    assert office.emitted == [("run_1", "shutdown")]
    assert office.tracker.counts.started == 1
    assert office.is_balanced()
