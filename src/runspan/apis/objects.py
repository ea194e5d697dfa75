"""Objects that several APIs share."""

from __future__ import annotations

from ..core.fields import Wire, first, text
from ..core.model import ApiError


def error(wire: Wire) -> ApiError | None:
    """`last_error` of runs and steps; the `error` of a failed call, whose `code` may be null."""
    if not wire:
        return None
    code, said = first(wire, ("code", "type"), text), text(wire, "message")
    return ApiError(code or "error", said) if code or said else None
