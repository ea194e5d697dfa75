"""Objects that several APIs share."""

from __future__ import annotations

from typing import Any

from ..core.fields import Wire, first, ident, member, text
from ..core.model import ApiError


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


def error_of_event(data: Any) -> ApiError:
    """Of an event that says that a stream broke: in an envelope, or as it is."""
    return error(member(data, "error")) or error(data) or ApiError("error")
