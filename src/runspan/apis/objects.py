"""Objects that several APIs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from ..core.fields import Wire, count, first, flag, ident, kind_of, mapping, member, real, text, text_in
from ..core.jsontext import value_of
from ..core.model import ApiError, Observation, Outcome, Phase, RunStep, Usage

NOTHING: Mapping[str, Any] = {}
# Field on the wire -> name of the setting, reader.
Settings = Mapping[str, tuple[str, Callable[[Wire, str], object]]]

MAX_LEVELS = 4  # envelopes of events, one in another
UNKNOWN: tuple[None, None] = (None, None)

# Statuses of servers that don't keep to an API's own words. Of all others it is not known whether they are an end.
ENDS_IN_OTHER_WORDS: Mapping[str, tuple[Phase, Outcome]] = {
    **dict.fromkeys(("succeeded", "success", "finished", "done"), (Phase.OVER, Outcome.COMPLETED)),
    **dict.fromkeys(("error", "errored"), (Phase.OVER, Outcome.FAILED)),
    **dict.fromkeys(("canceled", "aborted"), (Phase.OVER, Outcome.CANCELLED)),
    **dict.fromkeys(("timed_out", "timeout"), (Phase.OVER, Outcome.EXPIRED)),
}
STATUSES: Mapping[str, tuple[Phase, Outcome | None]] = {
    **ENDS_IN_OTHER_WORDS,
    "queued": (Phase.QUEUED, None),
    "in_progress": (Phase.ACTIVE, None),
    "cancelling": (Phase.CANCELLING, None),
    **{word: (Phase.OVER, Outcome(word)) for word in ("completed", "incomplete", "failed", "cancelled")},
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


def usage(wire: Wire, into: tuple[str, ...], out: tuple[str, ...]) -> Usage | None:
    """Tokens, by the words that servers have for what goes in and out. What a server leaves out, its total tells."""
    if not wire:  # nearly always: a run tells it at its end
        return None
    given, made = (first(wire, tuple(f"{side}_tokens" for side in sides), count) for sides in (into, out))
    if given is None and made is None:
        return None
    total, of_input, of_output = count(wire, "total_tokens") or 0, _details(wire, into), _details(wire, out)
    return Usage(
        max(0, total - (made or 0)) if given is None else given,
        max(0, total - (given or 0)) if made is None else made,
        count(of_input, "cached_tokens"),
        count(of_output, "reasoning_tokens"),
        count(of_input, "cache_write_tokens"),
    )


def _details(wire: Wire, sides: tuple[str, ...]) -> Wire:
    """The wire of Assistants and of Foundry says input_token_details, the latter beside a null input_tokens_details."""
    names = (f"{side}_{tokens}_details" for side in sides for tokens in ("tokens", "token"))
    return next(filter(None, (mapping(wire, name) for name in names)), {})


def tool_choice(wire: Wire, key: str) -> str | None:
    """The tool that must be called, or the word for what may be; None where the model chooses, which is the rule."""
    named = text_in(mapping(wire, key), "function", "name") or text_in(wire, key, "name")
    word = named or kind_of(wire, key)
    return word if word != "auto" else None


COMMON_SETTINGS: Settings = {
    "temperature": ("temperature", real),
    "top_p": ("top_p", real),
    "parallel_tool_calls": ("parallel_tool_calls", flag),
    "tool_choice": ("tool_choice", tool_choice),
}


def settings(wire: Wire, table: Settings) -> Mapping[str, object]:
    """What was set of a run."""
    return {
        name: value
        for key, (name, reader) in table.items()
        if wire.get(key) is not None and (value := reader(wire, key)) is not None
    }


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
