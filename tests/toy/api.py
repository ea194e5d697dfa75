"""An API that nobody has: jobs in talks, done by a toy engine. Its paths, words, ids and stamps are all its own.

POST /jobs                  {"talk", "engine", "live"?}            a job begins; `live`: a stream of events
GET  /jobs/{id}             a job: pending, working, blocked (it waits for answers), done, broken
POST /jobs/{id}/answers     {"answers": [{"wish", "says"}]}
GET  /talks/{id}/notes      messages, the oldest first
GET  /jobs/{id}/parts       steps
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from runspan.apis.api import RUN, Api, EventKind, Events, Exchange, FollowUp, Match, Route, StepPieces
from runspan.core import conversation, run_messages
from runspan.core.fields import Wire, items, mapping, text
from runspan.core.jsontext import loads
from runspan.core.model import (
    ApiError,
    Listing,
    Message,
    Observation,
    Outcome,
    Part,
    Phase,
    Run,
    RunRequest,
    RunStep,
    ToolCall,
    Usage,
    Vocabulary,
)

STATES = {
    "pending": (Phase.QUEUED, None),
    "working": (Phase.ACTIVE, None),
    "blocked": (Phase.WAITING, None),
    "done": (Phase.OVER, Outcome.COMPLETED),
    "broken": (Phase.OVER, Outcome.FAILED),
}


def job(wire: Wire, talk: str | None = None) -> Run | None:
    id_, talk = text(wire, "id"), talk or text(wire, "talk")
    if not id_ or not talk:
        return None
    state, spent, fault = text(wire, "state"), mapping(wire, "spent"), text(wire, "fault")
    phase, outcome = STATES.get(state or "", (None, None))
    wishes = tuple(ToolCall(w["id"], "function", w["tool"], w["given"]) for w in items(wire, "wishes"))
    stamps = {name: int(at) for name, at in mapping(wire, "at").items()}
    return Run(
        *(id_, talk, state, phase, outcome),
        model=text(wire, "engine"),
        tools=({"type": "function"},) if wire.get("has_tools") else (),
        required=wishes,
        usage=Usage(spent["read"], spent["written"]) if spent else None,
        error=ApiError("fault", fault) if fault else None,
        created_at=stamps.get("made"),
        started_at=stamps.get("began"),
        ended_at=stamps.get("over"),
    )


def note(wire: Wire) -> Message:
    job_id = text(wire, "job")
    role = "assistant" if job_id else "user"
    return Message(str(wire["id"]), role, (Part("text", wire["says"]),), int(wire["at"]), job_id)


def _part(wire: Wire) -> RunStep:
    calls = tuple(
        ToolCall(c["wish"], "function", c["tool"], c["given"], c["says"]) for c in items(wire, "calls")
    )
    return RunStep(str(wire["id"]), "tool_calls", "done", Outcome.COMPLETED, tool_calls=calls)


def _seen(exchange: Exchange, run: Run | None = None, **what: Any) -> Observation:
    match, times = exchange.match, {"request_ns": exchange.request_ns, "response_ns": exchange.response_ns}
    talk = match.conversation_id or (run.conversation_id if run else None)
    runs, run_id = ((run,) if run else ()), match.run_id or (run.id if run else None)
    return Observation(
        **times,
        source=exchange.source,
        conversation_id=talk,
        run_id=run_id,
        runs=runs,
        polls=exchange.polls,
        **what,
    )


def _job(exchange: Exchange) -> Observation:
    return _seen(exchange, job(exchange.response))


def _answers(exchange: Exchange) -> Observation:
    said = tuple(ToolCall(a["wish"], output=a["says"]) for a in items(exchange.body, "answers"))
    return _seen(exchange, job(exchange.response), outputs=said)


def _notes(exchange: Exchange) -> Observation:
    notes = tuple(map(note, items(exchange.response, "data")))
    return _seen(exchange, messages=notes, listing=Listing(from_start=True, to_end=True, is_ordered=True))


def _parts(exchange: Exchange) -> Observation:
    return _seen(exchange, steps=tuple(map(_part, items(exchange.response, "data"))), all_steps=True)


ROUTES: dict[tuple[str, int, str], Route] = {
    ("post", 1, ""): Route("invoke_agent", _job, is_write=True, starts_run=True, reads_body=True),
    ("get", 2, ""): Route("get_job", _job, is_poll=True),
    ("post", 3, "answers"): Route("answer_job", _answers, is_write=True, answers_calls=True, reads_body=True),
    ("get", 3, "parts"): Route("list_parts", _parts, is_list=True),
}
NOTES = Route("list_notes", _notes, is_list=True)


def match(method: str, url: str) -> Match | None:
    words = url.partition("?")[0].strip("/").split("/")
    if words[0] == "talks" and words[2:] == ["notes"]:
        return Match(NOTES, conversation_id=words[1])
    route = ROUTES.get((method.lower(), len(words), words[2] if len(words) > 2 else ""))
    if words[0] != "jobs" or route is None:
        return None
    return Match(route, run_id=words[1] if len(words) > 1 else None)


# ---------------------------------------------------------------- streams


class Pieces:
    """Of notes."""

    def __init__(self, max_chars: int) -> None:
        self._texts: dict[str, str] = {}

    def take(self, delta: Any, key_of: Callable[[str], str | None]) -> None:
        id_ = str(delta["note"])
        self._texts[id_] = self._texts.get(key_of(id_) or id_, "") + delta["piece"]

    def ended(self, key: str) -> None:
        self._texts.pop(key, None)

    def texts(self) -> dict[str, str]:
        return self._texts


def _event(data: Wire, seen: Observation) -> Observation:
    if seen.event == "note-whole":
        return replace(seen, messages=(replace(note(data), run_id=seen.run_id, role="assistant"),))
    run = job(data)
    return replace(seen, runs=(run,), run_id=run.id, conversation_id=run.conversation_id) if run else seen


KINDS = {
    "piece": EventKind.TEXT_DELTA,
    "note-whole": EventKind.MESSAGE_ENDED,
    "job-now": EventKind.RUN,
    "job-blocked": EventKind.CALLS_WAIT,
    "trouble": EventKind.ERROR,
}


def _opened(name: Any, event: Any) -> tuple[str, Any]:
    """Events say themselves what they are."""
    data = loads(event) if isinstance(event, str) else event
    return (data["kind"], data) if isinstance(data, dict) and "kind" in data else (str(name), data)


def _lacks(state: Any, log: conversation.Conversation, captures: bool) -> list[str]:
    if not state.is_over:
        return [RUN]
    has_notes = run_messages.has_all_outputs(log, state) and log.whole_since_start
    needs = ["notes"] if captures and not has_notes else []
    return [*needs, *(["parts"] if state.run.tools and not state.has_all_steps else [])]


API = Api(
    name="toy",
    match=match,
    phases={state: phase for state, (phase, _) in STATES.items()},
    vocabulary=Vocabulary("pending", "working", "blocked", "job."),
    read_request=lambda body, streams: RunRequest(model=text(body, "engine"), stream=streams),
    read_run=job,
    conversation_field="talk",
    status_field="state",
    poll_fields=("id", "talk", "state", "at"),
    waits_mark=b'"blocked"',
    calls_path=("wishes",),
    events=Events(
        *(KINDS, lambda name: None, "blocked", _opened, lambda data: False),
        *(
            _event,
            lambda data: None,
            lambda exchange, seen: seen,
            Pieces,
            StepPieces,
            lambda data: ApiError("trouble"),
        ),
    ),
    follow_ups={
        RUN: FollowUp(lambda key: f"/jobs/{key.run_id}"),
        "notes": FollowUp(lambda key: f"/talks/{key.conversation_id}/notes"),
        "parts": FollowUp(lambda key: f"/jobs/{key.run_id}/parts"),
    },
    lacks=_lacks,
    missing=_lacks,
)
