"""Exceptions of the client -> ApiError: the API's own code where there is one, else the exception's class."""

from __future__ import annotations

from typing import Any

from ..core.model import ApiError


def read_error(error: BaseException) -> ApiError:
    """`code`, else `type` of the error body; for errors that never reached the API the class name (`APITimeoutError`)."""
    code = _text(getattr(error, "code", None)) or _text(getattr(error, "type", None))
    return ApiError(code or type(error).__name__, _message(error))


def _message(error: BaseException) -> str | None:
    """The message of the API's error body; texts of the client repeat the whole body, with ids and hints."""
    body: Any = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    if isinstance(message, str):
        return message
    text = getattr(error, "message", None)
    return text if isinstance(text, str) else str(error) or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
