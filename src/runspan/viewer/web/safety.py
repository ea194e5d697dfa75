"""Who may talk to the viewer: the checks before every request, and the headers on every answer.

A page in the reader's own browser is the attacker to think of: it can send requests to loopback, and by DNS
rebinding it can be "of the same origin". So the Host header must name this server, and an Origin that is another
one is refused. Beyond loopback there is a token, which neither trick can know.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runspan.viewer.otlp_answers import refusal
from runspan.viewer.ports import is_loopback

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
COOKIE_S = 30 * 86_400
MAX_URL = 4_096  # characters of path and query

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
    "Server": "runspan",
}

ASK_FOR_IT = """This runspan viewer wants its token.

Open the address that `runspan ui` printed (it ends in ?token=...), once; this browser is let in from then on.
Senders give it as a header:  OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20TOKEN"
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """`hosts`: names the Host header may give, lower case and without port; empty allows any (a token protects then)."""

    hosts: frozenset[str]
    token: str | None = None
    cookie: str = "runspan"  # cookies know no ports, so two viewers on one host need two names


_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


def gate(host: str, port: int, token: str | None, more_hosts: tuple[str, ...] = ()) -> Gate:
    """The checks for a server on this address. Raises ValueError for one beyond loopback without a token, and for a wrong token."""
    if not host:
        raise ValueError("an address to listen on is needed, such as 127.0.0.1")
    if token and not _TOKEN.fullmatch(token):
        raise ValueError(
            "a token has only letters, digits and -._~+/= (RFC 6750): headers and links carry nothing else"
        )
    if not is_loopback(host) and not token:
        raise ValueError(f"{host} can be reached from other machines: give a token, or listen on 127.0.0.1")
    hosts = frozenset() if token else LOOPBACK_NAMES | {name.lower() for name in (host, *more_hosts)}
    return Gate(hosts, token, f"runspan_{port}")


class Guarded:
    """Lets good requests through to the app."""

    def __init__(self, app: ASGIApp, of: Gate) -> None:
        self._app = app
        self._gate = of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, send_guarded)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        is_export = scope["path"].startswith("/v1/")
        if len(scope["path"]) + len(scope["query_string"]) > MAX_URL:
            return _answer(414, "the address is too long", headers, is_export)
        host = _host(headers.get("host", ""))
        if host is None or (self._gate.hosts and host not in self._gate.hosts):
            advice = "this server is known by other names (--allow-host adds one)"
            return _answer(403, advice, headers, is_export)
        if not _is_own(headers):
            return _answer(403, "requests from pages of other origins are not taken", headers, is_export)
        if self._gate.token is None:
            return None
        return self._without_token(scope, headers, is_export)

    def _without_token(self, scope: Scope, headers: Headers, is_export: bool) -> Response | None:
        token = self._gate.token or ""
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        by_link = next((value for name, value in asked if name == "token"), None)
        if by_link is not None and scope["method"] == "GET" and _same(by_link, token):
            rest = urlencode([pair for pair in asked if pair[0] != "token"])
            # A path that begins with two slashes would name another host.
            path = "/" + scope["path"].lstrip("/")
            response = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
            response.set_cookie(self._gate.cookie, token, max_age=COOKIE_S, httponly=True, samesite="lax")
            return response
        if has_token(headers.get("authorization", ""), token):
            return None
        # Not by SimpleCookie, which gives up at the first cookie of another app on this host whose value it does not like.
        if _same(HTTPConnection(scope).cookies.get(self._gate.cookie, ""), token):
            return None
        return _answer(
            401, "the token is missing or wrong (Authorization: Bearer ...)", headers, is_export, ASK_FOR_IT
        )


def has_token(authorization: str, token: str) -> bool:
    """Whether the value of an Authorization header gives the token."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and _same(given.strip(), token)


def _host(header: str) -> str | None:
    """The name in a Host header; None when there is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower() or None
    except ValueError:
        return None


def _is_own(headers: Headers) -> bool:
    """Whether no page of another origin is behind the request. Programs send neither header."""
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2].lower() == headers.get("host", "").lower()
    # A link from elsewhere opens a page, which is fine; anything else that browsers call cross-site is not.
    is_foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return not is_foreign or headers.get("sec-fetch-mode") == "navigate"


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _answer(status: int, message: str, headers: Headers, is_export: bool, page: str = "") -> Response:
    if is_export:
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        body = refusal(status, message, content_type)
        return Response(
            body, status, media_type=content_type if "protobuf" in content_type else "application/json"
        )
    return PlainTextResponse(page or f"{message}\n", status)
