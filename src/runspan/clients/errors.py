"""Exceptions of the client -> ApiError: the API's own code where there is one, else the exception's class."""

from __future__ import annotations

from typing import Any

from ..core.exception_text import text_of
from ..core.model import ApiError
from ..core.redact import MAX_READ
from ..runtime.records import decode

MAX_CODE = 256


def read_error(error: BaseException) -> ApiError:
    """`code`, else `type` of the error body; for errors that never reached the API the class name (`APITimeoutError`)."""
    code = _text(getattr(error, "code", None)) or _text(getattr(error, "type", None))
    return ApiError(code or type(error).__name__, _message(error))


def _message(error: BaseException) -> str | None:
    """The message of the API's error body; texts of the client repeat the whole body, with ids and hints."""
    body: Any = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, str):
        message = getattr(error, "message", None)
    return message[:MAX_READ] if isinstance(message, str) else text_of(error)


def _text(value: object) -> str | None:
    return value[:MAX_CODE] if isinstance(value, str) and value else None


def refusal(body: bytes, status: int) -> ApiError:
    """Of an answer with an error status: `code`, else `type` of its body's `error`, else the status. Gateways send a text alone."""
    whole = decode(body)
    told = whole.get("error")
    error = told if isinstance(told, dict) else {"message": told, **whole}
    code = next(filter(None, (_text(error.get(name)) for name in ("code", "type"))), str(status))
    texts = (error.get(name) for name in ("message", "detail"))
    return ApiError(code, next((text[:MAX_READ] for text in texts if text and isinstance(text, str)), None))
