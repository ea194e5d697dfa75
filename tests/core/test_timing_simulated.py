"""Random runs on a random server, watched through random latencies: what is said of time is true."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from runspan.core import timing
from runspan.core.lifecycle import RunState, advance
from runspan.core.model import Observation, RunStep
from tests.core.words import OVER, A, S, begun, call, event, poll, submit
from tests.support.examples import seeds


@dataclass
class Simulated:
    """One run: the truth, and what was observed of it."""

    seed: int
    changes: list[tuple[int, str]] = field(
        default_factory=list
    )  # when the server changed the status, on our clock
    heard: list[Observation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.skew_s = self.chance.uniform(-90, 90)
        self.interval_ns = self.chance.choice([S // 20, S // 2, 5 * S])
        self.created_ns = self.latency() // 2
        self.answered_ns = self.created_ns + self.latency() // 2
        self.started: list[int] = []
        self.changes.append((self.created_ns, "queued"))
        self.heard.append(self.answer(0, self.created_ns, self.answered_ns))
        self.live()

    def latency(self) -> int:
        return int(self.chance.choice([0.001, 0.05, 2.0]) * S * self.chance.uniform(0.2, 1)) + 2

    def stamp(self, at_ns: int) -> int:
        return int(A + at_ns / S + self.skew_s)

    def status_at(self, at_ns: int) -> str:
        return [status for since_ns, status in self.changes if since_ns <= at_ns][-1]

    def answer(self, request_ns: int, read_ns: int, response_ns: int) -> Observation:
        status = self.status_at(read_ns)
        started = [ns for ns in self.started if ns <= read_ns]
        has_end = status in OVER and status != "incomplete"
        return poll(
            *(request_ns, response_ns, status),
            created_at=self.stamp(self.created_ns),
            started_at=self.stamp(started[-1]) if started else None,
            ended_at=self.stamp(self.changes[-1][0]) if has_end else None,
            required=(call(f"c{len(self.changes)}"),) if status == "requires_action" else (),
        )

    def after(self, at_ns: int, status: str) -> int:
        at_ns += int(self.chance.choice([0.01, 1, 20]) * S * self.chance.random()) + 1
        self.changes.append((at_ns, status))
        if status == "in_progress":
            self.started.append(at_ns)
        return at_ns

    def live(self) -> None:
        at_ns = self.after(self.answered_ns if self.chance.random() < 0.5 else self.created_ns, "in_progress")
        for _ in range(self.chance.randrange(3)):
            at_ns = self.tool_round(self.after(at_ns, "requires_action"))
        if self.chance.random() < 0.2:
            at_ns = self.after(at_ns, "cancelling")
        self.ended_ns = self.after(at_ns, self.chance.choice(OVER))
        self.poll_until(self.ended_ns)

    def poll_until(self, at_ns: int) -> int:
        """Poll until an answer tells of what happened at `at_ns`; the response of that answer."""
        now_ns = max(self.answered_ns, self.heard[-1].response_ns)
        while True:
            read_ns = now_ns + self.latency() // 2
            response_ns = read_ns + self.latency() // 2
            self.heard.append(self.answer(now_ns, read_ns, response_ns))
            if read_ns >= at_ns:
                return response_ns
            now_ns = response_ns + self.interval_ns

    def tool_round(self, at_ns: int) -> int:
        request_ns = self.poll_until(at_ns) + self.latency()
        read_ns = request_ns + self.latency() // 2
        self.changes.append((read_ns, "queued"))
        self.heard.append(
            submit(request_ns, read_ns + self.latency() // 2, **{f"c{len(self.changes) - 1}": "1"})
        )
        return self.after(read_ns, "in_progress")

    def state(self) -> RunState:
        state = begun(0, self.answered_ns, created_at=self.stamp(self.created_ns))
        for observation in self.heard:
            state = advance(state, observation)
        return state


any_seed = seeds(80)


@any_seed
def test_the_true_end_lies_inside_what_is_said(seed: int) -> None:
    simulated = Simulated(seed)
    found = timing.end(simulated.state())
    assert abs(found.at_ns - simulated.ended_ns) <= found.width_ns / 2 + 1


@any_seed
def test_the_timeline_is_in_order_and_its_sums_are_its_length(seed: int) -> None:
    simulated = Simulated(seed)
    line = timing.timeline(simulated.state())
    moments = [line.start_ns, *(e.moment.at_ns for e in line.entries)]
    assert moments == sorted(moments)
    assert moments[-1] == line.end.at_ns
    assert line.queue_ns + line.active_ns + line.tool_wait_ns == line.end.at_ns - line.start_ns
    assert line.start_ns <= line.active_from_ns <= line.end.at_ns
    assert line.entries[-1].status == simulated.changes[-1][1]


@any_seed
def test_the_first_moment_in_progress_is_as_true_as_the_end(seed: int) -> None:
    """Where nobody saw it, it is placed before the end, which is itself known to within its width only."""
    simulated = Simulated(seed)
    line = timing.timeline(simulated.state())
    first = next(e.moment for e in line.entries if e.status == "in_progress")
    assert abs(first.at_ns - simulated.started[0]) <= (first.width_ns + line.end.width_ns) / 2 + 1


# ---------------------------------------------------------------- streams read at any pace


@dataclass
class Streamed:
    """One run whose server sends its events as they happen, and an app that reads them at its own pace."""

    seed: int

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.skew_s = self.chance.uniform(-90, 90)
        self.pause_ns = self.chance.choice([0, 0, S // 20, S // 2, 3 * S])  # of the app, between two events
        self.has_stamps = self.chance.random() < 0.8
        self.created_ns = self.chance.randrange(1, S // 5)
        self.truth = self.events()
        self.heard = list(self.read())

    def events(self) -> dict[str, int]:
        """When the server sent what."""
        names = ("queued", "in_progress", "step began", "token", "step ended", "asked", "completed")
        at_ns, sent = self.created_ns, {}
        for name in names:
            sent[name] = at_ns
            at_ns += int(self.chance.choice([0.001, 0.3, 4]) * S * self.chance.random()) + 1
        return sent

    def stamp(self, at_ns: int) -> int | None:
        return int(A + at_ns / S + self.skew_s) if self.has_stamps else None

    def read(self) -> Iterator[tuple[str, int, int]]:
        """Each event, when the server may have sent it at the earliest, and when the app had it."""
        now_ns, caught_up_ns = self.created_ns, 0
        for name, sent_ns in self.truth.items():
            now_ns += int(self.pause_ns * self.chance.random())
            if sent_ns > now_ns:  # the app waited for it
                now_ns = caught_up_ns = sent_ns
            yield name, caught_up_ns, now_ns

    def observed(self, name: str, since_ns: int, at_ns: int) -> Observation | None:
        sent = self.truth
        started = self.stamp(sent["in_progress"]) if sent["in_progress"] <= sent.get(name, 0) else None
        told: dict[str, Any] = {"created_at": self.stamp(self.created_ns), "started_at": started}
        if name in ("queued", "in_progress"):
            seen = event(at_ns, name, **told)
        elif name == "asked":
            seen = event(at_ns, "requires_action", required=(call("c"),), **told)
        elif name == "completed":
            seen = event(at_ns, name, ended_at=self.stamp(sent["completed"]), **told)
        elif name == "token":
            return None
        else:
            step = RunStep("s", "tool_calls", created_at=self.stamp(sent["step began"]))
            if name == "step began":
                step = replace(step, seen_since_ns=since_ns, seen_ns=at_ns)
            else:
                ended_at = self.stamp(sent["step ended"])
                step = replace(step, ended_at=ended_at, done_since_ns=since_ns, done_ns=at_ns)
            seen = replace(event(at_ns, None), runs=(), steps=(step,))
        return replace(seen, request_ns=since_ns)

    def state(self) -> RunState:
        first = self.heard[0]
        state = begun(0, first[2], created_at=self.stamp(self.created_ns))
        for name, since_ns, at_ns in self.heard:
            seen = self.observed(name, since_ns, at_ns)
            token = {"first_token_ns": at_ns, "first_token_since_ns": since_ns} if seen is None else {}
            state = advance(state, seen) if seen else replace(state, **token)
        return state


@any_seed
def test_the_true_end_of_a_stream_lies_inside_what_is_said_however_slowly_it_is_read(seed: int) -> None:
    streamed = Streamed(seed)
    found = timing.end(streamed.state())
    assert abs(found.at_ns - streamed.truth["completed"]) <= found.width_ns / 2 + 1
    was_waited_for = streamed.heard[-1][1] == streamed.heard[-1][2]
    assert (found.width_ns == 0) is was_waited_for
    if streamed.has_stamps:
        assert found.width_ns <= 2 * S + streamed.heard[0][2]


@any_seed
def test_nothing_of_a_stream_is_placed_later_than_it_was_read_or_outside_of_the_run(seed: int) -> None:
    streamed = Streamed(seed)
    state = streamed.state()
    line = timing.timeline(state)
    (step,) = state.steps.values()
    start_ns, end_ns = timing.place_step(state, step, line.active_from_ns, line.end.at_ns)
    token_ns = timing.first_token(state, line)
    assert token_ns is not None
    arrivals = {name: at_ns for name, _, at_ns in streamed.heard}
    since = {name: since_ns for name, since_ns, _ in streamed.heard}
    for name, placed_ns in (("step began", start_ns), ("step ended", end_ns), ("token", token_ns)):
        assert min(since[name], line.end.at_ns) <= placed_ns <= arrivals[name]
        if since[name] == arrivals[name]:
            assert placed_ns == streamed.truth[name], "what the app waited for is known"
        elif since[name] + 1 < min(arrivals[name], line.end.at_ns):
            assert placed_ns < arrivals[name], "what lay in a buffer came before it was read"
    assert line.start_ns <= start_ns <= end_ns
    assert line.start_ns <= token_ns <= line.end.at_ns
    assert line.queue_ns + line.active_ns + line.tool_wait_ns == line.end.at_ns - line.start_ns
    for entry in line.entries:
        name = "asked" if entry.status == "requires_action" else entry.status
        slack_ns = (entry.moment.width_ns + line.end.width_ns) / 2 + 1
        assert abs(entry.moment.at_ns - streamed.truth[name]) <= slack_ns
