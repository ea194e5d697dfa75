"""Objects that several APIs share."""

from __future__ import annotations

from typing import Any

from ..core.fields import first, member, text
from ..core.model import ApiError


def error(told: Any) -> ApiError | None:
    """`last_error` of runs and steps; the `error` of a failed call, whose `code` may be null. Some servers send a text alone."""
    if not isinstance(told, dict):
        return ApiError("error", told) if told and isinstance(told, str) else None
    code, said = first(told, ("code", "type"), text), text(told, "message")
    return ApiError(code or "error", said) if code or said else None


def error_of_event(data: Any) -> ApiError:
    """Of an event that says that a stream broke: in an envelope, or as it is."""
    return error(member(data, "error")) or error(data) or ApiError("error")
