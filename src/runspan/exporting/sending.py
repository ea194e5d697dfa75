"""One OTLP request after the other to one address, over HTTP or gRPC, each with tries until its time is up."""

from __future__ import annotations

import contextlib
import enum
import gzip
import os
import queue
import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from .._version import __version__
from ..runtime import clock
from ..runtime.primitives import queue_of_now
from . import answers
from .answers import NO_ANSWER, NO_HOST, NO_TLS, NOBODY, Answer, Reply, Verdict

TRIES = 6
MAX_REPLY_BYTES = 65_536  # what an OTLP receiver says is far shorter
USER_AGENT = f"runspan/{__version__}"
_COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How it is sent, whatever the protocol."""

    headers: Mapping[str, str]
    compression: str = "none"
    trusted: str | None = None  # certificates of authorities, a file or folder
    identity: tuple[str, str | None] | None = None  # files: our certificate, and its key
    plug_in: Callable[[], Any] | None = None  # makes a session (HTTP) or the credentials of a channel (gRPC)


# ---------------------------------------------------------------- HTTP


def new_session() -> requests.Session:
    """It goes through the proxies of the environment, takes no keys from ~/.netrc, and follows no redirect."""
    made = requests.Session()
    made.get_redirect_target = lambda response: None  # type: ignore[method-assign,assignment]
    made.auth = lambda request: request
    made.headers["User-Agent"] = USER_AGENT
    return made


class HttpSender:
    """POSTs to `url`, whose answers are of `kind`."""

    def __init__(self, url: str, kind: Any, options: SendOptions) -> None:
        self.url = url
        self._kind = kind
        self._options = options
        self._compress: Callable[[bytes], bytes] = _COMPRESS.get(options.compression, bytes)
        encoding = {"Content-Encoding": options.compression} if options.compression in _COMPRESS else {}
        self._headers = {**options.headers, "Content-Type": "application/x-protobuf", **encoding}
        self._session: requests.Session | None = None

    def post(self, body: bytes, timeout_s: float) -> Answer:
        until_s = clock.monotonic_s() + timeout_s
        try:
            return answers.of_http(reply(self.answer(body, timeout_s), until_s), self._kind)
        except requests.RequestException as error:
            return Answer(Verdict.AGAIN, said=reason(error))

    def answer(self, body: bytes, timeout_s: float) -> requests.Response:
        """Its head; see `reply`."""
        session = self._session or self._open()  # another thread may close it meanwhile
        return session.post(
            self.url,
            data=self._compress(body),
            headers=self._headers,
            timeout=timeout_s,
            # Said with each request: what a session says, requests gives up for REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE.
            verify=self._options.trusted,
            allow_redirects=False,
            stream=True,
        )

    def _open(self) -> requests.Session:
        session = self._session = (self._options.plug_in or new_session)()
        if self._options.identity is not None:
            certificate, key = self._options.identity
            session.cert = certificate if key is None else (certificate, key)
        return session

    def forget(self) -> None:
        """In a forked child: connections can't be shared."""
        self._session = None

    def close(self) -> None:
        held, self._session = self._session, None
        if held is not None:
            held.close()

    def door(self) -> tuple[str, int] | None:
        """Host and port that are connected to, which may be a proxy's; None where that is not known."""
        return door_of_url(self.url)


def reply(response: requests.Response, until_s: float) -> Reply:
    """What is read of it until that time: an answer may be huge, decompress to something huge, break off, or never end.

    Its status counts: who has answered 200 has the spans, and would have them twice.
    """
    pieces: list[bytes] = []
    size, is_whole = 0, True
    with contextlib.closing(response):
        try:
            for piece in response.iter_content(1):  # more at once would wait for more
                pieces.append(piece)
                size += len(piece)
                if size > MAX_REPLY_BYTES or clock.monotonic_s() > until_s:
                    is_whole = False
                    break
        except requests.RequestException:
            is_whole = False
    return Reply(response.status_code, response.headers, b"".join(pieces), is_whole)


def door_of_url(url: str) -> tuple[str, int] | None:
    """Host and port that a request to it connects to, which are a proxy's where the environment names one."""
    proxies = requests.utils.get_environ_proxies(url)
    proxy = requests.utils.select_proxy(url, proxies)
    parts = urlsplit(url if proxy is None else proxy if "://" in proxy else f"http://{proxy}")
    with contextlib.suppress(ValueError):
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        return (parts.hostname, port) if parts.hostname and port else None
    return None


def reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return NO_ANSWER
    if isinstance(error, requests.exceptions.SSLError):
        return NO_TLS
    said = {"refused": NOBODY, "Refused": NOBODY, "NameResolutionError": NO_HOST, "Errno -2]": NO_HOST}
    return next((said[word] for word in said if word in str(error)), type(error).__name__)


# ---------------------------------------------------------------- gRPC


class GrpcSender:
    """Calls `method` of the service at `target` (`host:port` or a URL), whose answers are of `kind`."""

    def __init__(
        self, target: str, method: str, kind: Any, options: SendOptions, *, is_insecure: bool
    ) -> None:
        import grpc  # type: ignore[import-untyped]  # now: at the end of the process it can't be

        self._grpc = grpc
        self._target = urlsplit(target).netloc if "://" in target else target
        self._method = method
        self._kind = kind
        self._options = options
        self._metadata = tuple(options.headers.items())
        self._is_insecure = is_insecure
        self._channel: Any = None
        self._call: Any = None

    def post(self, body: bytes, timeout_s: float) -> Answer:
        try:
            call = self._call or self._connect()  # another thread may close it meanwhile
            return answers.of_grpc(call(body, timeout=timeout_s, metadata=self._metadata))
        except self._grpc.RpcError as error:
            answer = answers.of_grpc_error(error)
            if answer.status == "UNAVAILABLE":  # a channel may keep to an address that is gone
                self.close()
            return answer

    def _connect(self) -> Any:
        grpc = self._grpc
        kinds = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}
        compression = kinds.get(self._options.compression, grpc.Compression.NoCompression)
        options = (("grpc.primary_user_agent", USER_AGENT),)
        if self._is_insecure:
            channel = grpc.insecure_channel(self._target, options, compression)
        else:
            credentials = (self._options.plug_in or self._credentials)()
            channel = grpc.secure_channel(self._target, credentials, options, compression)
        self._channel = channel
        self._call = channel.unary_unary(self._method, response_deserializer=self._kind.FromString)
        return self._call

    def _credentials(self) -> Any:
        certificate, key = self._options.identity or (None, None)
        files = (self._options.trusted, key, certificate)  # as gRPC orders them
        return self._grpc.ssl_channel_credentials(*(name and Path(name).read_bytes() for name in files))

    def forget(self) -> None:
        self._channel = self._call = None

    def close(self) -> None:
        channel, self._channel, self._call = self._channel, None, None
        if channel is not None:
            channel.close()

    def door(self) -> tuple[str, int] | None:
        return door_of_target(self._target)


def door_of_target(target: str) -> tuple[str, int] | None:
    """The same for `host:port` of gRPC. Not known where there may be a proxy: gRPC has rules of its own for those."""
    if any(os.environ.get(name) for name in ("grpc_proxy", "https_proxy", "http_proxy")):
        return None
    parts = urlsplit(f"//{target}")
    with contextlib.suppress(ValueError):
        return (parts.hostname, parts.port or 443) if parts.hostname else None
    return None


Sender = HttpSender | GrpcSender


# ---------------------------------------------------------------- tries


class Haste(enum.Enum):
    """When a try that failed is the last one, though there was time for more."""

    NONE = enum.auto()
    WHERE_REFUSED = enum.auto()  # the process ends, and a developer without a receiver must not wait for one
    ALWAYS = enum.auto()  # nobody waits any more

    def ends(self, answer: Answer) -> bool:
        return self is Haste.ALWAYS or (self is Haste.WHERE_REFUSED and answer.is_refused)


class Tries:
    """Sends with tries, until `timeout_s` (one request and all its tries) is over or `stop` was called."""

    def __init__(self, sender: Sender, timeout_s: float) -> None:
        self.sender = sender
        self.timeout_s = timeout_s
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_stopped = False
        self._haste = Haste.NONE

    def send(self, body: bytes) -> Answer:
        # A queue that is older than gevent's patches would stop the whole app for each pause.
        self._wake = queue_of_now(self._wake)
        until_s = clock.monotonic_s() + self.timeout_s
        answer = Answer(Verdict.AWAY)
        for attempt in range(TRIES):
            left_s = until_s - clock.monotonic_s()
            if left_s <= 0 or self._is_stopped:
                break
            try:
                answer = self.sender.post(body, left_s)
            # Of the libraries below: a certificate that is gone, an address of no form.
            except Exception as error:
                return Answer(Verdict.AWAY, said=type(error).__name__)
            if answer.verdict is not Verdict.AGAIN:
                return answer
            # The first failure is often that of a connection which the other end has closed meanwhile.
            is_stale = attempt == 0 and answer.status is None
            pause_s = 0.0 if is_stale else 2 ** max(0, attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311
            pause_s = pause_s if answer.pause_s is None else answer.pause_s
            if pause_s >= until_s - clock.monotonic_s() or (pause_s and self._haste.ends(answer)):
                break
            if pause_s:
                with contextlib.suppress(queue.Empty):
                    self._wake.get(timeout=pause_s)
        return answer

    def hasten(self, haste: Haste) -> None:
        """How it is from now on, also in a pause that is under way."""
        self._haste = haste
        if haste is not Haste.NONE:
            self._wake.put(None)

    def stop(self) -> None:
        """No more tries; the request that is on its way may end."""
        self._is_stopped = True
        self._wake.put(None)
