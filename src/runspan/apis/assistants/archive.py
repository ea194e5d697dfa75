"""Exported objects of the Assistants API: single ones, lines of messages, and whole threads (`assistants-thread-export/v1`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from ...core.fields import Wire, first, ident, items, mapping, stamp, text
from ...core.jsontext import dumps
from ...core.model import Phase
from ..archives import (
    Archive,
    Archived,
    Kind,
    Past,
    PastCall,
    Read,
    Remark,
    Turn,
    Unreadable,
    When,
    conversation,
    path_of,
    rows,
)
from ..objects import UNKNOWN
from . import API, statuses

THREAD_EXPORT, MANIFEST = "assistants-thread-export/", "assistants-export-manifest/"
STAMPS = (
    *("created_at", "started_at", "completed_at", "failed_at", "cancelled_at", "expired_at"),
    "incomplete_at",
)
_thread = partial(conversation, name="thread")
_NO_ID = "a {} without an id"
_NO_PLACE = "a {} without a thread_id"


def read(wire: Wire) -> Iterator[Read] | None:
    """The objects in it."""
    if _is_thread_export(wire):
        return _thread_export(wire)
    if (text(wire, "export_schema") or "").startswith(MANIFEST):
        return _manifest(wire)
    reader = _OBJECTS.get(text(wire, "object") or "")
    if reader is not None:
        return iter([reader(wire)])
    is_line = "object" not in wire and ident(wire, "thread_id") and text(wire, "role") is not None
    return iter([_line(wire)]) if is_line else None


# ---------------------------------------------------------------- objects


def _agent(wire: Wire) -> Read:
    id_ = ident(wire)
    return Archived(Kind.AGENT, wire, id_) if id_ else Unreadable(_NO_ID.format("assistant"))


def _message(wire: Wire, place: str = "", *, is_line: bool = False) -> Read:
    """What an app writes in the assistant's place has neither run nor assistant; a line of its own need not name them."""
    place = place or ident(wire, "thread_id")
    if not place:
        return Unreadable(_NO_PLACE.format("message"))
    run_id, role = ident(wire, "run_id"), text(wire, "role")
    is_written_by_run = bool(run_id or text(wire, "assistant_id")) or is_line
    return Archived(
        Kind.MESSAGE,
        wire,
        ident(wire) or "#" + hashlib.sha256(dumps(dict(wire)).encode()).hexdigest()[:24],
        place,
        run_id,
        stamp(wire, "created_at"),
        is_final=text(wire, "status") != "in_progress",
        is_answer=is_written_by_run and role in ("assistant", None if run_id else "assistant"),
    )


def _run(wire: Wire, place: str = "") -> Read:
    id_, place = ident(wire), place or ident(wire, "thread_id")
    if not id_ or not place:
        return Unreadable(_NO_PLACE.format("run") if id_ else _NO_ID.format("run"))
    phase, _ = statuses.RUN.get(text(wire, "status") or "", UNKNOWN)
    return Archived(Kind.RUN, wire, id_, place, id_, stamp(wire, "created_at"), is_final=phase is Phase.OVER)


def _step(wire: Wire, place: str = "", run_id: str = "") -> Read:
    place, run_id = place or ident(wire, "thread_id"), run_id or ident(wire, "run_id")
    id_ = ident(wire)
    if not place or not run_id or not id_:
        return Unreadable("a run step without a thread_id and a run_id" if id_ else _NO_ID.format("run step"))
    ended = first(wire, STAMPS[2:], stamp)
    return Archived(
        Kind.STEP, wire, id_, place, run_id, stamp(wire, "created_at"), is_final=ended is not None
    )


_OBJECTS: Mapping[str, Callable[[Wire], Read]] = {
    "assistant": _agent,
    "thread": _thread,
    "thread.message": _message,
    "thread.run": _run,
    "thread.run.step": _step,
}


def _line(wire: Wire) -> Read:
    """A message as a line of its own: thread_id, role, text, and what else there is of id, assistant and time."""
    said = next((wire[key] for key in ("text", "content", "value") if wire.get(key) is not None), None)
    if said is None or (isinstance(said, str) and not said.strip()):
        return Unreadable("a message without a text")
    kept = {"content": said if isinstance(said, list | str) else [said], "object": "thread.message"}
    return _message({**wire, "id": ident(wire, "message_id") or ident(wire), **kept}, is_line=True)


# ---------------------------------------------------------------- whole threads


def _is_thread_export(wire: Wire) -> bool:
    return (text(wire, "export_schema") or "").startswith(THREAD_EXPORT)


def _place_of(export: Wire) -> str:
    return ident(mapping(export, "thread")) or ident(export, "thread_id")


def _may_cut(fields: Wire, name: str) -> bool:
    """Whose its lists are stands before them, unless its keys were sorted."""
    return name in ("messages", "runs") and _is_thread_export(fields) and bool(_place_of(fields))


def _thread_export(wire: Wire) -> Iterator[Read]:
    thread, place = mapping(wire, "thread"), _place_of(wire)
    if not place:
        yield Unreadable("an exported thread without its id")
        return
    if thread:
        yield _thread({**thread, "id": place})
    yield from map(partial(_message, place=place), rows(wire.get("messages")))
    for run in rows(wire.get("runs")):
        found = _run({k: v for k, v in run.items() if k != "steps"}, place)
        yield found
        if isinstance(found, Archived) and "steps" in run:
            yield from (_step(step, place, found.id) for step in rows(run["steps"]))
            if not any(ident(error) == found.id for error in items(wire, "errors")):
                yield Archived(Kind.ALL_STEPS, {}, found.id, place, found.id)
    for error in items(wire, "errors"):
        if text(error, "object") != "file":  # files are never read
            yield Remark(_told(error))


def _told(error: Wire) -> str:
    what = " ".join(filter(None, (text(error, "object"), ident(error))))
    return f"the export says that it lacks {what or 'something'}: {text(error, 'error') or 'no reason given'}"


def _manifest(wire: Wire) -> Iterator[Read]:
    yield Remark()
    for failed in items(wire, "threads_failed"):
        yield Remark(_told({"object": "thread", "id": failed.get("thread_id"), "error": failed.get("error")}))


# ---------------------------------------------------------------- the calls that bring them


def calls(past: Past) -> Iterator[PastCall]:
    """Agent and thread, the request that made the run, the run, its steps, and the messages up to its end."""
    run, thread = past.run, ("threads", past.place)
    if past.agent is not None:
        yield PastCall(When.BEFORE, "get", path_of("assistants", ident(past.agent)), past.agent)
    if past.conversation is not None:
        yield PastCall(When.BEFORE, "get", path_of(*thread), past.conversation)
    asked = {key: run[key] for key in ("assistant_id", "model") if run.get(key) is not None}
    created = {
        "id": past.run_id,
        "thread_id": past.place,
        "object": "thread.run",
        "status": "queued",
        "created_at": run.get("created_at"),
        **asked,
    }
    yield PastCall(When.CREATED, "post", path_of(*thread, "runs"), created, asked)
    yield PastCall(When.LAST, "get", path_of(*thread, "runs", past.run_id), run)
    if past.steps or past.has_all_steps:
        page = {"data": list(past.steps), "has_more": not past.has_all_steps}
        path = path_of(*thread, "runs", past.run_id, "steps")
        yield PastCall(When.AFTER, "get", path, page, query={"order": "asc", "limit": 100})
    query = {"order": "asc", **({"after": past.after} if past.after else {})}
    page = {"data": list(past.messages), "has_more": False}
    yield PastCall(When.AFTER, "get", path_of(*thread, "messages"), page, query=query)


def turn(of: Turn) -> Past:
    """A run that wrote these messages."""
    agent = next((id_ for m in of.answers if (id_ := text(m, "assistant_id"))), None)
    stamps = {"created_at": of.began_at, "completed_at": of.ended_at}
    run = {"id": of.run_id, "thread_id": of.place, "assistant_id": agent, "status": "completed", **stamps}
    return Past(run, of.run_id, of.place)


ARCHIVE = Archive(
    api=API,
    read=read,
    calls=calls,
    turn=turn,
    agent_of=lambda run: text(run, "assistant_id"),
    stamps=STAMPS,
    may_cut=_may_cut,
)
