"""What travels with a Run from the process that created it to the one that takes it over, as one short line of ASCII.

The line is fit for a header and for a value of the Run's metadata. It holds ids, times and what `runspan.context` gave, and no text
of instructions, messages or tools: what the server says of the Run, the other process reads there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from msgspec import Struct, field

from .jsontext import dumps
from .model import RunRequest, ToolCall

KEY = "runspan"  # its name among headers, and in the metadata of a Run
VERSION = "1"
MAX_HEADER_CHARS = 2_048
MAX_METADATA_CHARS = 512  # the API's own bound
MAX_CALLS = 32  # waiting ones that travel

_HEX = {16: re.compile("[0-9a-f]{16}"), 32: re.compile("[0-9a-f]{32}")}
# Key -> field of the request.
_FLAGS = {"stream": "stream", "one": "is_model_call", "now": "is_immediate"}
_TEXTS = {"cv": "conversation_id", "as": "agent_id", "an": "agent_name", "model": "model"}
_US = 1_000
_LATEST_US = 2**62 // _US  # about the year 2116
_LONGEST_S = 9_999_999  # that a server may take


class RunContext(Struct, frozen=True, gc=False):
    """The run span's own identity and parent, and what only the creating process knows."""

    trace_id: str  # 32 hex digits
    span_id: str  # 16, of the run span
    parent_id: str | None  # 16; None: the run span begins its trace
    flags: int  # of the trace context; 1: sampled
    request_ns: int  # of the POST that created the Run, on the creator's clock
    response_ns: int | None = None  # None: not known when this was written
    conversation_id: str | None = None
    api: str | None = None  # None: the first one that the process knows
    request: RunRequest = RunRequest()  # without texts
    waiting: tuple[ToolCall, ...] = ()  # calls that wait for outputs, without arguments
    waiting_since_ns: int | None = None  # when the creator saw that they do
    claimed: tuple[str, ...] = ()  # ids of calls that have a span of the app's own already
    scope: Mapping[str, Any] = field(default_factory=dict)  # attributes that `runspan.context` gave

    @property
    def is_sampled(self) -> bool:
        return bool(self.flags & 1)


def encode(carried: RunContext, max_chars: int) -> str:
    """`v=1&t=TRACE&s=SPAN&p=PARENT&f=01&at=MICROSECONDS&...`; what does not fit is left out, the least needed first."""
    parent = {} if carried.parent_id is None else {"p": carried.parent_id}
    needed = {"v": VERSION, "t": carried.trace_id, "s": carried.span_id, **parent}
    line = urlencode({**needed, "f": f"{carried.flags:02x}", "at": carried.request_ns // _US})
    for key, value in _optional(carried):
        more = f"&{key}={quote(value, safe=_SAFE)}"
        if len(line) + len(more) <= max_chars:
            line += more
    return line


_SAFE = "/:,.{}[]\"@'()*!"


def _optional(carried: RunContext) -> Iterator[tuple[str, str]]:
    """The most needed first."""
    if carried.response_ns is not None:
        yield "took", str(max(0, carried.response_ns - carried.request_ns) // _US)
    request = carried.request
    for key, name in _FLAGS.items():
        if getattr(request, name):
            yield key, "1"
    if carried.api is not None:
        yield "api", carried.api
    if carried.waiting:
        calls = [[call.id, call.name] for call in carried.waiting[:MAX_CALLS]]
        yield "w", dumps([(carried.waiting_since_ns or carried.request_ns) // _US, calls])
    if carried.claimed:
        yield "done", dumps(list(carried.claimed[:MAX_CALLS]))
    if request.window_s:
        yield "win", str(request.window_s)
    if carried.conversation_id:
        yield "th", carried.conversation_id
    for key, name in _TEXTS.items():
        if text := getattr(request, name):
            yield key, text
    if request.settings:
        yield "ask", dumps(dict(request.settings))
    for name in sorted(carried.scope, key=lambda name: (name not in _FIRST, len(dumps(carried.scope[name])))):
        yield f"x.{name}", dumps(carried.scope[name])


_FIRST = ("session.id", "user.id")


def decode(line: object) -> RunContext | None:
    """What `encode` wrote; None for anything else, of any type."""
    if not isinstance(line, str) or len(line) > 2 * MAX_HEADER_CHARS:
        return None
    try:
        return _decoded(dict(parse_qsl(line, strict_parsing=True, max_num_fields=100)))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _decoded(pairs: Mapping[str, str]) -> RunContext | None:
    if pairs["v"] != VERSION:
        return None
    request_ns = _time(pairs["at"])
    since_us, calls = json.loads(pairs["w"]) if "w" in pairs else (None, [])
    settings = json.loads(pairs.get("ask", "{}"))
    return RunContext(
        trace_id=_hex(pairs["t"], 32),
        span_id=_hex(pairs["s"], 16),
        parent_id=_hex(pairs["p"], 16) if "p" in pairs else None,
        flags=int(pairs["f"], 16) & 0xFF,
        request_ns=request_ns,
        response_ns=request_ns + _time(pairs["took"]) if "took" in pairs else None,
        conversation_id=pairs.get("th"),
        api=pairs.get("api"),
        request=RunRequest(
            **{name: pairs.get(key) for key, name in _TEXTS.items()},  # type: ignore[arg-type]
            **{name: key in pairs for key, name in _FLAGS.items()},  # type: ignore[arg-type]
            window_s=_number(pairs["win"], _LONGEST_S) if "win" in pairs else None,
            settings={k: v for k, v in settings.items() if isinstance(v, str | int | float)},
        ),
        waiting=tuple(ToolCall(_text(id_), "function", _text(name)) for id_, name in calls[:MAX_CALLS]),
        waiting_since_ns=None if since_us is None else _time(str(since_us)),
        claimed=tuple(map(_text, json.loads(pairs.get("done", "[]"))))[:MAX_CALLS],
        scope=dict(_scope(pairs)),
    )


def _scope(pairs: Mapping[str, str]) -> Iterator[tuple[str, str | list[str]]]:
    for key, value in pairs.items():
        if key.startswith("x."):
            found = json.loads(value)
            if isinstance(found, list):
                yield key[2:], [str(item) for item in found]
            elif isinstance(found, str):
                yield key[2:], found


def _hex(text: str, digits: int) -> str:
    if not _HEX[digits].fullmatch(text) or not int(text, 16):
        raise ValueError(text)
    return text


def _time(us: str) -> int:
    return _number(us, _LATEST_US) * _US


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        raise ValueError(text)
    return int(text)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
