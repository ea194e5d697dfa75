"""What the receiver answered last, which the SDK's exporters keep to themselves: they only say that it failed.

HTTP: a hook of the requests session that the exporter takes. gRPC: there is no such door, so the stub's one method is wrapped;
where the exporter's inside should change, requests that are too large are lost whole again, and all else works.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

TOO_LARGE = 413
BAD_REQUEST, TOO_LARGE_IN_GO = 400, b"request body too large"  # the Collector's way to say 413


class TooLargeError(Exception):
    """gRPC's RESOURCE_EXHAUSTED for one message: trying again, as the SDK would for 10 s, can't help."""


class Answers:
    """`clear()` before a request; then what came back of it."""

    def __init__(self) -> None:
        self.status: int | None = None  # of HTTP; None: nothing came back
        self.is_too_large = False

    def clear(self) -> None:
        self.status, self.is_too_large = None, False

    @property
    def is_final(self) -> bool:
        """The receiver works and does not want this; others may be welcome."""
        return self.is_too_large or (
            self.status is not None and 300 <= self.status < 500 and self.status != 429
        )

    @property
    def is_redirect(self) -> bool:
        """It names another address, which the SDK takes for success."""
        return self.status is not None and 300 <= self.status < 400

    def heard(self, response: Any, *_: Any, **__: Any) -> None:
        self.status = response.status_code
        self.is_too_large = self.status == TOO_LARGE or (
            self.status == BAD_REQUEST and TOO_LARGE_IN_GO in response.content
        )


def http_session(answers: Answers, foreign_headers: Collection[str]) -> Any:
    """A session that tells `answers`, and never sends the headers that the variables hold for another address.

    Nor does it follow a redirect: to a page of a login it would be a GET without the spans, which the SDK takes for success; to
    another host, the spans with their keys.
    """
    import requests

    def only_ours(request: Any) -> Any:
        for name in foreign_headers:
            request.headers.pop(name, None)
        return request

    session = requests.Session()
    session.hooks["response"].append(answers.heard)
    session.get_redirect_target = lambda response: None  # type: ignore[method-assign,assignment]
    session.auth = only_ours  # also keeps ~/.netrc from replacing the authorization header
    return session


def listen_to_grpc(exporter: Any, answers: Answers) -> None:
    """Have `exporter` raise TooLargeError at once, also through the channels that it makes anew."""
    make = getattr(exporter, "_initialize_channel_and_stub", None)

    def wrap() -> None:
        stub = getattr(exporter, "_client", None)
        if hasattr(stub, "Export"):
            exporter._client = _Stub(stub, answers)

    def make_and_wrap() -> None:
        make()  # type: ignore[misc]  # there is one where this is called
        wrap()

    wrap()
    if make is not None:
        exporter._initialize_channel_and_stub = make_and_wrap


class _Stub:
    def __init__(self, inner: Any, answers: Answers) -> None:
        self._inner = inner
        self._answers = answers

    def Export(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - gRPC's name
        try:
            return self._inner.Export(*args, **kwargs)
        except Exception as error:
            if _is_too_large(error):
                self._answers.is_too_large = True
                raise TooLargeError from None
            raise


def _is_too_large(error: Any) -> bool:
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    if not callable(code) or not callable(details):
        return False
    name, said = getattr(code(), "name", ""), str(details()).lower()
    return (name == "RESOURCE_EXHAUSTED" and "larger than max" in said) or "status: 413" in said  # of a proxy
