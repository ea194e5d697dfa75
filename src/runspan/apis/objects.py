"""Objects that several APIs share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from ..core.fields import Wire, count, first, ident, member, text
from ..core.jsontext import value_of
from ..core.model import ApiError, Observation, Outcome, Phase, RunStep

NOTHING: Mapping[str, Any] = {}
MAX_LEVELS = 4  # envelopes of events, one in another

# Statuses of servers that don't keep to an API's own words. Of all others it is not known whether they are an end.
ENDS_IN_OTHER_WORDS: Mapping[str, tuple[Phase, Outcome]] = {
    **dict.fromkeys(("succeeded", "success", "finished", "done"), (Phase.OVER, Outcome.COMPLETED)),
    **dict.fromkeys(("error", "errored"), (Phase.OVER, Outcome.FAILED)),
    **dict.fromkeys(("canceled", "aborted"), (Phase.OVER, Outcome.CANCELLED)),
    **dict.fromkeys(("timed_out", "timeout"), (Phase.OVER, Outcome.EXPIRED)),
}


def error(said: Any) -> ApiError | None:
    """`last_error` of runs and steps; the `error` of a failed call: an object, whose code may be null or a number, or a text."""
    if isinstance(said, str):
        said = {"message": said}
    if not isinstance(said, dict):
        return None
    code, message = first(said, ("code", "type"), _word), text(said, "message")
    return ApiError(code or "error", message) if code or message else None


def _word(wire: Wire, key: str) -> str | None:
    return ident(wire, key) or None


def tokens(wire: Wire, into: tuple[str, ...], out: tuple[str, ...]) -> tuple[int, int] | None:
    """(of the input, of the output), by the names that they may have. What a server leaves out, its total tells."""
    given, made, total = first(wire, into, count), first(wire, out, count), count(wire, "total_tokens") or 0
    if given is None and made is None:
        return None
    return (
        max(0, total - (made or 0)) if given is None else given,
        max(0, total - (given or 0)) if made is None else made,
    )


def error_of_event(data: Any) -> ApiError:
    """Of an event that says that a stream broke: in an envelope, or as it is."""
    return error(member(data, "error")) or error(data) or ApiError("error")


def timed(step: RunStep, seen: Observation, *, begins: bool, ends: bool) -> RunStep:
    """A step of an event, with the times of the event."""
    since_ns = seen.request_ns if seen.request_ns < seen.response_ns else None
    if begins:
        return replace(step, seen_since_ns=since_ns, seen_ns=seen.response_ns)
    return replace(step, done_since_ns=since_ns, done_ns=seen.response_ns) if ends else step


def field_of(data: Any, name: str) -> Any:
    """Of a dict or a model of the client, also one that the model does not know; without its slow `__getattr__`."""
    if isinstance(data, dict):
        return data.get(name)
    value = getattr(data, "__dict__", NOTHING).get(name)
    return (getattr(data, "__pydantic_extra__", None) or NOTHING).get(name) if value is None else value


def is_object(data: Any) -> bool:
    return isinstance(data, dict) or hasattr(data, "__dict__")


def unwrapped(name: Any, data: Any) -> tuple[Any, Any]:
    """(name, object) out of `{"event": NAME, "data": OBJECT}`, where OBJECT may be a JSON text, or another envelope."""
    for _ in range(MAX_LEVELS):
        data = value_of(data)
        inside = field_of(data, "data")
        if inside is None or isinstance(field_of(data, "object"), str) or not is_object(value_of(inside)):
            break
        name, data = field_of(data, "event") or name, inside
    return name, value_of(data)
