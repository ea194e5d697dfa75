"""What the patches hand to the worker: raw facts of finished calls and stream events, unread.

Made on the app's threads, so they are plain slots and cost nothing to make; read on the worker alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..adapters.assistants import Match
from ..core.model import ApiError, Server

# One object as the app got it: JSON bytes, or (for a poll that changed nothing) its scalar fields.
Payload = bytes | Mapping[str, Any] | None


@dataclass(slots=True)
class Page:
    """A list as the app got it."""

    data: tuple[Payload, ...]
    has_more: bool | None


@dataclass(slots=True)
class Via:
    """How to ask the server something more about a run: `get(path, query, timeout_s) -> bytes`, or None: not possible."""

    owner: int  # identity of the client, for its budget
    get: Callable[[str, Mapping[str, Any], float], bytes | None]


@dataclass(slots=True)
class LiveSpan:
    """A span begun on the caller's thread, with the slim context its children and logs will hang under."""

    span: Any
    context: Any
    tracer: Any


@dataclass(slots=True, eq=False)
class Call:
    """One finished call of the app."""

    match: Match
    server: Server
    request_ns: int
    response_ns: int = 0
    body: bytes | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    result: Payload | Page = None
    error: ApiError | None = None
    live: LiveSpan | None = None
    via: Via | None = None
    context: Any = None  # slim, where the call was made; for spans that are made afterwards
    streams: bool = False
    # Coalesced polls with the very same answer: how many, and the newest's times.
    count: Any = None
    newest: tuple[int, int] | None = None
    is_taken: bool = False

    def merge(self, other: Call) -> bool:
        """Let this queued poll stand for `other` too. False: the worker has it already.

        No lock: the store of `newest` and the count are atomic, and the flag is read after them.
        """
        if self.count is None:
            self.count = itertools.count(2)
        self.newest = (other.request_ns, other.response_ns)
        if self.is_taken:
            return False
        next(self.count)
        return True

    def taken_polls(self) -> int:
        """Number of polls this one stands for; called once, by the worker, after `is_taken` is set."""
        return 1 if self.count is None else next(self.count) - 1


@dataclass(slots=True, eq=False)
class StreamRef:
    """One stream of the app, from the call that opened it to its end."""

    call: Call
    run_id: str | None = None
    thread_id: str | None = None
    first_token_ns: int | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)  # message id -> deltas, until it completes
    chars: int = 0
    broken: ApiError | None = None  # the `error` event of a stream that the app reads as bytes


@dataclass(slots=True)
class StreamEvent:
    stream: StreamRef
    name: str
    at_ns: int
    payload: Payload


@dataclass(slots=True)
class StreamChunk:
    """Bytes of an event stream that the app reads as a raw response."""

    stream: StreamRef
    at_ns: int
    data: bytes


@dataclass(slots=True)
class StreamClosed:
    """`error` is what broke the stream; `handler_error` what the app's own code raised in its `with` block."""

    stream: StreamRef
    at_ns: int
    error: ApiError | None = None
    is_whole: bool = False  # read to its end


@dataclass(slots=True)
class HandlerError:
    stream: StreamRef
    at_ns: int
    error: ApiError


@dataclass(slots=True)
class Fetched:
    """The answer of a background GET; `payload` None: there was none."""

    key: Any
    what: str
    request_ns: int
    response_ns: int
    payload: bytes | None


@dataclass(slots=True)
class Ask:
    """Something for the worker to do between records (flush, shutdown), with an answer."""

    act: Callable[[], None]
