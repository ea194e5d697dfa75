"""The Assistants API: (method, path) -> Route -> Observation, one table.

Paths as the official client passes them (`options.url`), without the server's prefix; Azure clients use the same ones.
A second API is a second file like this one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from msgspec import Struct, field
from msgspec.structs import replace

from ...core.lifecycle import PHASE_OF_STATUS, Phase
from ...core.model import Message, Observation, Run, RunStep, Source
from . import objects as wire
from . import pages
from .objects import Wire

PREFIXES = ("/threads", "/assistants")


class Match(Struct, frozen=True, gc=False):
    """A call of this API. `object_id` is the assistant's, message's or step's; of the files API, the file's or batch's."""

    route: Route
    conversation_id: str | None = None
    run_id: str | None = None
    object_id: str | None = None
    store_id: str | None = None


class Exchange(Struct, frozen=True, gc=False):
    """One finished call as decoded JSON: a page is `{"data": [...], "has_more": bool}`."""

    match: Match
    request_ns: int
    response_ns: int
    body: Wire = field(default_factory=dict)
    query: Wire = field(default_factory=dict)
    response: Wire = field(default_factory=dict)
    source: Source = Source.CALL
    polls: int = 0


Reader = Callable[[Exchange], Observation]


class Route(Struct, frozen=True, gc=False):
    """One endpoint. `operation` names the call span of a write; reads have no span of their own.

    `is_apart`: it tells nothing of runs, so it matters for its own span alone. `gives_file`: its answer is not looked at.
    `reads_body`: what was sent says more than the answer; of all other calls it is not even copied.
    """

    operation: str
    read: Reader
    is_write: bool = False
    starts_run: bool = False
    is_poll: bool = False
    is_apart: bool = False
    gives_file: bool = False
    reads_body: bool = False


# ---------------------------------------------------------------- readers


def _seen(exchange: Exchange, **what: Any) -> Observation:
    match = exchange.match
    return Observation(
        request_ns=exchange.request_ns,
        response_ns=exchange.response_ns,
        source=exchange.source,
        **{"conversation_id": match.conversation_id, "run_id": match.run_id, **what},
    )


def _agent(exchange: Exchange) -> Observation:
    found = wire.agent(exchange.response)
    return _seen(exchange, agents=(found,) if found else ())


def _agents(exchange: Exchange) -> Observation:
    found = (wire.agent(item) for item in wire.items(exchange.response, "data"))
    return _seen(exchange, agents=tuple(a for a in found if a))


def _thread(exchange: Exchange) -> Observation:
    return _seen(exchange, data_source_ids=wire.vector_stores(exchange.response))


def _new_thread(exchange: Exchange) -> Observation:
    """Its messages get their ids on the server; listed later, they are recognised by place and text."""
    id_ = wire.ident(exchange.response) or None
    return _seen(
        exchange,
        conversation_id=id_,
        created_conversation=True,
        messages=_sent(exchange, exchange.body, id_),
        data_source_ids=wire.vector_stores(exchange.response),
    )


def _sent(exchange: Exchange, thread: Wire, conversation_id: str | None) -> tuple[Message, ...]:
    sent = (
        wire.message(m, id_=f"{conversation_id}/{i}") for i, m in enumerate(wire.items(thread, "messages"))
    )
    created_at = wire.stamp(exchange.response, "created_at")
    return tuple(replace(m, created_at=created_at, sent_ns=exchange.request_ns) for m in sent)


def _message(exchange: Exchange) -> Observation:
    return _seen(exchange, messages=pages.messages_of(exchange.response))


def _new_message(exchange: Exchange) -> Observation:
    messages = tuple(replace(m, sent_ns=exchange.request_ns) for m in pages.messages_of(exchange.response))
    return _seen(exchange, messages=messages)


def _messages(exchange: Exchange) -> Observation:
    found, listing = pages.messages(exchange.response, exchange.query)
    return _seen(exchange, messages=found, listing=listing)


def _deleted_message(exchange: Exchange) -> Observation:
    return _seen(exchange, deleted_message_id=exchange.match.object_id)


def _run(exchange: Exchange) -> Observation:
    found = wire.run(exchange.response, exchange.match.conversation_id, exchange.match.run_id)
    return _seen(exchange, runs=(found,) if found else (), polls=exchange.polls)


def _new_run(exchange: Exchange) -> Observation:
    """`POST /threads/runs` also makes the thread, known by the Run alone."""
    found = wire.run(exchange.response, exchange.match.conversation_id)
    if exchange.match.conversation_id is not None:
        return _seen(exchange, runs=(found,) if found else ())
    conversation_id = found.conversation_id if found else None
    messages = _sent(exchange, wire.mapping(exchange.body, "thread"), conversation_id)
    return _seen(
        exchange,
        conversation_id=conversation_id,
        runs=(found,) if found else (),
        messages=messages,
        created_conversation=conversation_id is not None,
        data_source_ids=wire.vector_stores(wire.mapping(exchange.body, "thread")),
    )


def _runs(exchange: Exchange) -> Observation:
    found = (wire.run(item, exchange.match.conversation_id) for item in wire.items(exchange.response, "data"))
    return _seen(exchange, runs=tuple(r for r in found if r))


def _tool_outputs(exchange: Exchange) -> Observation:
    found = wire.run(exchange.response, exchange.match.conversation_id, exchange.match.run_id)
    return _seen(exchange, runs=(found,) if found else (), outputs=wire.submitted(exchange.body))


def _step(exchange: Exchange) -> Observation:
    found = wire.step(exchange.response)
    return _seen(exchange, steps=(found,) if found else ())


def _steps(exchange: Exchange) -> Observation:
    found, is_ordered, is_whole = pages.steps(exchange.response, exchange.query)
    return _seen(exchange, steps=found, is_ordered=is_ordered, all_steps=is_whole)


# ---------------------------------------------------------------- the table

# (method, number of path segments, first, third, fifth) -> Route. Ids stand at segments 2, 4 and 6.
ROUTES: Mapping[tuple[str, int, str, str, str], Route] = {
    ("post", 1, "assistants", "", ""): Route("create_agent", _agent, is_write=True),
    ("get", 1, "assistants", "", ""): Route("list_agents", _agents),
    ("get", 2, "assistants", "", ""): Route("get_agent", _agent),
    ("post", 2, "assistants", "", ""): Route("update_agent", _agent, is_write=True),
    ("delete", 2, "assistants", "", ""): Route("delete_agent", _thread, is_write=True),
    ("post", 1, "threads", "", ""): Route("create_thread", _new_thread, is_write=True, reads_body=True),
    ("get", 2, "threads", "", ""): Route("get_thread", _thread),
    ("post", 2, "threads", "", ""): Route("update_thread", _thread, is_write=True),
    ("delete", 2, "threads", "", ""): Route("delete_thread", _thread, is_write=True),
    ("post", 3, "threads", "messages", ""): Route("create_message", _new_message, is_write=True),
    ("get", 3, "threads", "messages", ""): Route("list_messages", _messages),
    ("get", 4, "threads", "messages", ""): Route("get_message", _message),
    ("post", 4, "threads", "messages", ""): Route("update_message", _message, is_write=True),
    ("delete", 4, "threads", "messages", ""): Route("delete_message", _deleted_message, is_write=True),
    ("post", 3, "threads", "runs", ""): Route(
        "invoke_agent", _new_run, is_write=True, starts_run=True, reads_body=True
    ),
    ("get", 3, "threads", "runs", ""): Route("list_thread_runs", _runs),
    ("get", 4, "threads", "runs", ""): Route("get_thread_run", _run, is_poll=True),
    ("post", 4, "threads", "runs", ""): Route("update_thread_run", _run, is_write=True),
    ("post", 5, "threads", "runs", "cancel"): Route("cancel_thread_run", _run, is_write=True),
    ("post", 5, "threads", "runs", "submit_tool_outputs"): Route(
        "submit_tool_outputs", _tool_outputs, is_write=True, reads_body=True
    ),
    ("get", 5, "threads", "runs", "steps"): Route("list_run_steps", _steps),
    ("get", 6, "threads", "runs", "steps"): Route("get_run_step", _step),
}
NEW_THREAD_AND_RUN = Match(Route("invoke_agent", _new_run, is_write=True, starts_run=True, reads_body=True))


def match(method: str, url: str) -> Match | None:
    """The endpoint of a call, or None: then it is none of our business."""
    if url.startswith(PREFIXES):
        return _match(method, url)
    return next(filter(None, (_match(method, path) for path in paths_from(url, _WORD))), None)


def _match(method: str, path: str) -> Match | None:
    segments = segments_of(path)
    count, method = len(segments), method.lower()
    if count == 2 and segments[1] == "runs" and segments[0] == "threads":
        return NEW_THREAD_AND_RUN if method == "post" else None
    third = segments[2] if count > 2 else ""
    route = ROUTES.get((method, count, segments[0], third, segments[4] if count > 4 else ""))
    if route is None:
        return None
    if segments[0] == "assistants":
        return Match(route, object_id=segments[1] if count > 1 else None)
    id_ = segments[3] if count > 3 else None
    return Match(
        route,
        conversation_id=segments[1] if count > 1 else None,
        run_id=id_ if third == "runs" else None,
        object_id=segments[5] if count > 5 else id_ if third == "messages" else None,
    )


_WORD = re.compile(r"/(threads|assistants)(?=/|$)")
MAX_SEGMENTS = 6  # of the longest path in a table of routes


def paths_from(url: str, word: re.Pattern[str]) -> Iterator[str]:
    """The paths that may be ours in an absolute URL: from each such word on, as a gateway or a project may be called like one.

    A relative URL without its first slash is one path.
    """
    _, is_absolute, rest = url.partition("://")
    if not is_absolute:
        yield "/" + url
        return
    path = rest.partition("/")[2].partition("?")[0].rstrip("/")
    path = "/" + "/".join(path.split("/")[-MAX_SEGMENTS:])
    for found in word.finditer(path):
        yield path[found.start() :]


def segments_of(url: str) -> list[str]:
    """The words of a path. Newer clients quote what is unusual in an id; objects hold it as it is."""
    return [unquote(word) for word in url.partition("?")[0].strip("/").split("/")]


# ---------------------------------------------------------------- streams

STEP_DELTA = "thread.run.step.delta"
DELTAS = frozenset({"thread.message.delta", STEP_DELTA})
_STEP_STARTS = frozenset({"thread.run.step.created", "thread.run.step.in_progress"})
STEP_ENDS = frozenset(f"thread.run.step.{end}" for end in ("completed", "failed", "cancelled", "expired"))
MESSAGE_ENDS = frozenset({"thread.message.completed", "thread.message.incomplete"})
FIRST_TOKEN = "thread.message.delta"  # noqa: S105 - the name of an event
REQUIRES_ACTION = "thread.run.requires_action"
# Some servers keep a run as `completed` from the beginning, so each event of its stream says so.
_OPEN: Mapping[str, str] = {
    "thread.run.created": "queued",
    **{f"thread.run.{s}": s for s in ("queued", "in_progress", "requires_action", "cancelling")},
}


def read_event(
    name: str,
    data: Wire,
    at_ns: int,
    conversation_id: str | None = None,
    run_id: str | None = None,
    since_ns: int | None = None,
) -> Observation:
    """One stream event, deltas aside, sent between `since_ns` and `at_ns`, when it arrived.

    `thread_id`, `run_id`: of the stream, as far as they are known; what it tells is theirs.
    """
    seen = Observation(
        request_ns=at_ns if since_ns is None else since_ns,
        response_ns=at_ns,
        source=Source.STREAM,
        event=name,
    )
    if name == "thread.created":
        stores = wire.vector_stores(data)
        id_ = wire.ident(data) or None
        return replace(seen, conversation_id=id_, created_conversation=True, data_source_ids=stores)
    seen = replace(
        seen,
        conversation_id=conversation_id or wire.ident(data, "thread_id") or None,
        run_id=run_id or wire.ident(data, "run_id") or None,
    )
    if name.startswith("thread.run.step."):
        step = wire.step(data)
        return replace(seen, steps=(_timed(step, name, since_ns, at_ns),) if step else ())
    if name.startswith("thread.run."):
        run: Run | None = wire.run(data, conversation_id, run_id)
        if run is None:
            return replace(seen, run_id=run_id)
        is_over = PHASE_OF_STATUS.get(run.status or "") is Phase.OVER
        open_status = _OPEN.get(name) if is_over else None
        return replace(
            seen, runs=(run,), run_id=run.id, conversation_id=run.conversation_id, open_status=open_status
        )
    if name.startswith("thread.message."):
        return replace(seen, messages=tuple(_told(m, name, run_id) for m in pages.messages_of(data)))
    return seen


def is_last_word(seen: Observation) -> bool:
    """Whether the server closes the stream behind this event: the run is over, or waits for tool outputs."""
    is_waiting = any(run.status == "requires_action" for run in seen.runs)
    is_over = any(PHASE_OF_STATUS.get(run.status or "") is Phase.OVER for run in seen.runs)
    return seen.open_status is None and (is_waiting or is_over)


def _told(message: Message, name: str, run_id: str | None) -> Message:
    """As its run's own; where it ends, nothing more comes of it, though its object may still say `in_progress`."""
    if run_id is not None:
        message = replace(message, role="assistant", run_id=run_id)
    if name not in MESSAGE_ENDS or message.status not in (None, "in_progress"):
        return message
    return replace(message, status=name.rpartition(".")[2])


def with_thread_of(exchange: Exchange, seen: Observation) -> Observation:
    """`thread.created` of a streamed `POST /threads/runs`: the thread's messages stand in the request."""
    return replace(
        seen, messages=_sent(exchange, wire.mapping(exchange.body, "thread"), seen.conversation_id)
    )


def _timed(step: RunStep, name: str, since_ns: int | None, at_ns: int) -> RunStep:
    if name in _STEP_STARTS:
        return replace(step, seen_since_ns=since_ns, seen_ns=at_ns)
    return replace(step, done_since_ns=since_ns, done_ns=at_ns) if name in STEP_ENDS else step
