"""Threads listed either way round, with stamps of any kind: messages stand as they were written, runs read what was there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runspan.apis.api import Exchange
from runspan.apis.assistants.routes import match
from runspan.core.conversation import Begun, Conversation, record, with_run
from runspan.core.lifecycle import RunState
from runspan.core.model import Observation, RunKey
from runspan.core.run_messages import inputs, outputs
from tests.core.words import KEY, MS, A, S, begun

LIST = match("get", "/threads/thread_1/messages")
STAMPS: dict[str, Any] = {
    "s": int,
    "float": float,
    "ms": lambda at_s: int(at_s * 1_000),
    "us": lambda at_s: int(at_s * 1_000_000),
    "text": lambda at_s: str(int(at_s)),
    "iso": lambda at_s: datetime.fromtimestamp(at_s, timezone.utc).isoformat(),
    "zulu": lambda at_s: f"{datetime.fromtimestamp(at_s, timezone.utc):%Y-%m-%dT%H:%M:%S.%f}Z",
    "none": lambda at_s: None,
    "zero": lambda at_s: 0,
}


class Turn(NamedTuple):
    """A question and a run that answers it, each by us or by another process, and how fast."""

    asks_here: bool
    runs_here: bool
    answers: int
    pause_ns: int


turns = st.lists(
    st.builds(
        Turn,
        st.booleans(),
        st.booleans(),
        st.integers(1, 2),
        st.sampled_from([MS, 10 * MS, 400 * MS, 3 * S]),
    ),
    min_size=1,
    max_size=5,
)


class ServerThread:
    """`rows` as the server has them, `states` of our runs with how many rows lay there when each began."""

    def __init__(self, plan: Sequence[Turn], stamp: Any, starts_ns: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self.states: list[tuple[RunState, int]] = []
        self.log = Conversation(whole_since_start=True)
        self.stamp, self.now_ns = stamp, starts_ns
        for n, turn in enumerate(plan):
            self.play(f"run_{n}", turn)

    def play(self, run_id: str, turn: Turn) -> None:
        self.write("user", None, is_sent=turn.asks_here)
        self.now_ns += turn.pause_ns
        state = replace(
            begun(self.now_ns, self.now_ns + 1, created_at=int(A + self.now_ns / S)),
            key=RunKey(KEY.server, KEY.conversation_id, run_id),
        )
        before = len(self.rows)
        for _ in range(turn.answers):
            self.now_ns += turn.pause_ns
            self.write("assistant", run_id, is_sent=False)
        self.now_ns += turn.pause_ns
        if turn.runs_here:
            self.states.append((state, before))
            self.log = with_run(self.log, replace(state, over_seen=(self.now_ns, self.now_ns)))
        self.now_ns += turn.pause_ns

    def write(self, role: str, run_id: str | None, *, is_sent: bool) -> None:
        row = {
            "id": f"msg_{len(self.rows)}",
            "role": role,
            "run_id": run_id,
            "created_at": self.stamp(A + self.now_ns / S),
            "content": [{"type": "text", "text": {"value": f"text {len(self.rows)}"}}],
        }
        self.rows.append(row)
        if is_sent:
            new = match("post", "/threads/thread_1/messages")
            assert new is not None
            exchange = Exchange(new, self.now_ns, self.now_ns + 1, response=row)
            self.log = record(self.log, new.route.read(exchange))


def page(rows: list[dict[str, Any]], *, is_ascending: bool, asks: str | None, **query: Any) -> Observation:
    """As a server lists them that goes its own way."""
    assert LIST is not None
    order = {"order": asks} if asks else {}
    data = rows if is_ascending else rows[::-1]
    exchange = Exchange(
        LIST, 10**15, 10**15 + 1, query={**order, **query}, response={"data": data, "has_more": False}
    )
    return LIST.route.read(exchange)


@given(
    turns,
    st.sampled_from(sorted(STAMPS)),
    st.booleans(),
    st.sampled_from([None, "asc", "desc"]),
    st.integers(0, S),
)
def test_a_thread_stands_as_it_was_written_whatever_was_asked(
    plan: list[Turn], stamp: str, is_ascending: bool, asks: str | None, starts_ns: int
) -> None:
    plan[0] = plan[0]._replace(asks_here=True)  # the thread's beginning is known
    talk = ServerThread(plan, STAMPS[stamp], starts_ns)
    log = record(talk.log, page(talk.rows, is_ascending=is_ascending, asks=asks))
    assert [m.id for m in log.messages] == [row["id"] for row in talk.rows]
    assert log.whole_since_start


@given(turns, st.sampled_from(sorted(STAMPS)), st.booleans(), st.integers(0, S))
def test_a_run_reads_nothing_that_came_later_and_all_that_this_process_knows_to_have_been_there(
    plan: list[Turn], stamp: str, is_ascending: bool, starts_ns: int
) -> None:
    plan[0] = plan[0]._replace(asks_here=True)
    talk = ServerThread(plan, STAMPS[stamp], starts_ns)
    log = record(talk.log, page(talk.rows, is_ascending=is_ascending, asks=None))
    own = {state.key.run_id for state, _ in talk.states}
    for state, before in talk.states:
        read = {m.id for m in inputs(log, state)}
        there = talk.rows[:before]
        assert read <= {row["id"] for row in there}
        assert read >= {row["id"] for row in there if row["run_id"] in own or row["role"] == "user"}
        written = {m.id for m in outputs(log, state)}
        assert written == {row["id"] for row in talk.rows if row["run_id"] == state.key.run_id}


@given(st.integers(2, 6), st.booleans())
def test_stamps_of_pages_put_even_a_shuffled_thread_in_order(count: int, is_ascending: bool) -> None:
    rows = [
        {"id": f"msg_{n}", "role": "user", "created_at": A + n, "content": f"text {n}"} for n in range(count)
    ]
    shuffled = [*rows[1::2], *rows[::2]]
    seen = page(shuffled, is_ascending=is_ascending, asks=None)
    if count > 3:  # else as many pairs rise as fall, and what was asked for counts
        assert [m.id for m in seen.messages] == [row["id"] for row in rows]


def test_what_a_parallel_run_wrote_is_no_input_unless_it_was_over() -> None:
    """Some servers let two runs work on one thread; all in one second."""
    rows: list[dict[str, Any]] = [
        {"id": "q", "role": "user", "created_at": A, "content": "q"},
        {"id": "a1", "role": "assistant", "created_at": A, "content": "a1", "run_id": "run_1"},
        {"id": "a2", "role": "assistant", "created_at": A, "content": "a2", "run_id": "run_2"},
        {"id": "a3", "role": "assistant", "created_at": A, "content": "a3", "run_id": "run_of_others"},
    ]
    for ended_ns, expected in ((None, ["q"]), (50, ["q"]), (20, ["q", "a1"])):
        log = Conversation(runs={"run_1": Begun(10, ended_ns), "run_2": Begun(30)})
        log = record(log, page(rows, is_ascending=True, asks="asc"))
        second = replace(begun(30, 31, created_at=A), key=RunKey(KEY.server, KEY.conversation_id, "run_2"))
        first = replace(begun(10, 11, created_at=A), key=RunKey(KEY.server, KEY.conversation_id, "run_1"))
        assert [m.id for m in inputs(log, second)] == expected
        assert [m.id for m in inputs(log, first)] == ["q"]
