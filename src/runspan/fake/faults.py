"""Errors put into chosen requests: data, and the shape OpenAI gives them."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class HttpError:
    """An answer in OpenAI's error shape."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    retry_after_s: int | None = None  # header Retry-After

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is closed without an answer; the request is not carried out."""


@dataclass(frozen=True, slots=True)
class Slow:
    """The request is carried out, its answer held back, in real seconds: client timeouts are real too."""

    seconds: float


Fault: TypeAlias = "HttpError | Drop | Slow"

SERVER_ERROR = (
    "The server had an error processing your request. Sorry about that! You can retry your request, or "
    "contact us through our help center at help.openai.com if you keep seeing this error."
)

FAULTS: dict[str, Fault] = {
    "bad_request": HttpError(400, "Invalid value: the fake was told to refuse this."),
    "unauthorized": HttpError(401, "Incorrect API key provided.", code="invalid_api_key"),
    "not_found": HttpError(404, "The requested resource was not found."),
    "rate_limited": HttpError(
        429, "Rate limit reached.", type="requests", code="rate_limit_exceeded", retry_after_s=1
    ),
    "server_error": HttpError(500, SERVER_ERROR, type="server_error"),
    "unavailable": HttpError(503, "The engine is currently overloaded.", type="server_error"),
    "dropped": Drop(),
    "slow": Slow(0.3),
}


class ApiError(Exception):
    """Raised by a handler to answer with an error."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def refused(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    return ApiError(HttpError(400, message, code=code, param=param))


def missing(kind: str, id_: str) -> ApiError:
    """404, worded as recorded: "No run step found with id 'step_123'."."""
    return ApiError(HttpError(404, f"No {kind} found with id '{id_}'."))


@dataclass(slots=True)
class Rule:
    """`fault` for requests that match; the first `skip` of them pass, the next `times` do not."""

    fault: Fault
    method: str = "*"
    path: str = "*"  # glob on the path without /v1 or /openai, e.g. "/threads/*/runs"
    times: int = 1
    skip: int = 0

    def takes(self, method: str, path: str) -> bool:
        if self.times <= 0 or not (fnmatchcase(method, self.method) and fnmatchcase(path, self.path)):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True
