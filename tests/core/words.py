"""Short words for building what the core reads: runs, polls, events, submits, and the state they lead to."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from runspan.apis.assistants.statuses import FINISH_REASONS, RUN, VOCABULARY
from runspan.apis.objects import UNKNOWN
from runspan.core.lifecycle import Change, RunState, advance
from runspan.core.model import Message, Observation, Part, Run, RunKey, RunRequest, Server, Source, ToolCall
from runspan.core.timing import Entry, Moment

S = 1_000_000_000  # one second, in nanoseconds
MS = S // 1_000
A = 1_700_000_000  # created_at of the run, on the server's clock

SERVER = Server("http://api.test/v1", "api.test", 443, "openai")
KEY = RunKey(SERVER.base_url, "thread_1", "run_1")

OVER = ("completed", "failed", "cancelled", "expired", "incomplete")
ALIVE = ("queued", "in_progress", "requires_action", "cancelling")


def run(status: str | None = "queued", **fields: Any) -> Run:
    phase, outcome = RUN.get(status or "", UNKNOWN)
    reason = FINISH_REASONS.get(fields.get("incomplete_reason") or "")
    return Run(
        **{
            "id": KEY.run_id,
            "conversation_id": KEY.conversation_id,
            "status": status,
            "phase": phase,
            "outcome": outcome,
            "finish_reason": reason,
            "created_at": A,
            **fields,
        }
    )


def seen(request_ns: int, response_ns: int, *runs: Run, **what: Any) -> Observation:
    return Observation(
        request_ns=request_ns, response_ns=response_ns, conversation_id=KEY.conversation_id, runs=runs, **what
    )


def poll(request_ns: int, response_ns: int, status: str | None, **fields: Any) -> Observation:
    return seen(request_ns, response_ns, run(status, **fields), run_id=KEY.run_id, polls=1)


def event(at_ns: int, status: str | None, **fields: Any) -> Observation:
    return seen(
        at_ns,
        at_ns,
        run(status, **fields),
        source=Source.STREAM,
        event=f"thread.run.{status}",
        run_id=KEY.run_id,
    )


def submit(request_ns: int, response_ns: int, status: str | None = "queued", **outputs: str) -> Observation:
    """`submit(..., call_1="22 C")`"""
    answers = tuple(ToolCall(id_, output=output) for id_, output in outputs.items())
    return seen(request_ns, response_ns, run(status), run_id=KEY.run_id, outputs=answers)


def change(status: str, earliest_ns: int, latest_ns: int, started_at: int | None = None) -> Change:
    return Change(status, RUN.get(status, UNKNOWN)[0], earliest_ns, latest_ns, started_at)


def call(id_: str, name: str = "get_weather", arguments: str = '{"city":"Bern"}') -> ToolCall:
    return ToolCall(id_, "function", name, arguments)


def begun(
    request_ns: int = 0, response_ns: int = 10, *, request: RunRequest | None = None, **fields: Any
) -> RunState:
    """A run as the tracker begins it: the creating response is known, its status not yet taken in."""
    first = run(**fields)
    return RunState(
        key=KEY,
        server=SERVER,
        request=request or RunRequest(),
        request_ns=request_ns,
        response_ns=response_ns,
        vocabulary=VOCABULARY,
        run=replace(first, status=None, phase=None, outcome=None),
        created_at=first.created_at,
        last_alive_ns=request_ns,
        last_seen_ns=response_ns,
    )


def after(*observations: Observation, state: RunState | None = None) -> RunState:
    state = state or begun()
    for observation in observations:
        state = advance(state, observation)
    return state


def at_once(*observations: Observation, state: RunState | None = None) -> RunState:
    """A run whose creation was answered in no time, so its stamps are exact to a second either way."""
    return after(*observations, state=state or begun(0, 0))


def queued(*observations: Observation) -> RunState:
    """A run whose creating response said `queued` at 0..10, and what was observed then."""
    return after(poll(0, 10, "queued"), *observations)


def statuses(state: RunState) -> list[str]:
    return [change.status for change in state.changes]


def said(text: str, id_: str = "", role: str = "user", **fields: Any) -> Message:
    return Message(id_, role, (Part("text", text),), **fields)


def entry(status: str, moment: Moment) -> Entry:
    return Entry(status, RUN[status][0], moment)
