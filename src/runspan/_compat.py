"""Every private name of another package that we use, and what becomes worse where it is gone.

A private name may change in any release of its owner. So each stands here and nowhere else in `src/`, which a test holds. Another
test takes each away: the app goes on, its runs are traced, and what is worse stands in one line of the log and in
`stats().degraded`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

logger = logging.getLogger("runspan")

# owner.name -> what is worse without it. The owner of an attribute is its class.
WITHOUT: dict[str, str] = {
    "opentelemetry.context._SUPPRESS_INSTRUMENTATION_KEY": "our own requests may make spans of other instrumentations",
    "opentelemetry.context._RUNTIME_CONTEXT": "OpenTelemetry may log that it failed to detach a context",
    "opentelemetry._logs": "scores and content go on spans instead of log records",
    "opentelemetry.sdk.trace.Tracer._span_limits": "the SDK may cut JSON on spans anywhere",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter._endpoint": (
        "an app under opentelemetry-instrument may end 10 s late where nothing listens"
    ),
    "openai._base_client": "clients are found by another way",
    "openai.resources.Files._client": "helpers that upload and poll have no span of their own",
    "openai.OpenAI._base_url": "each call reads the address of its client anew",
    "openai.Stream._iterator": "streams of events are read as bytes, which costs more, and errors of handlers are not seen",
    "httpx.Client._transport": "what a run lacks is not fetched where the app has closed its client",
    "httpx.Client._mounts": "what a run lacks is not fetched where the app has closed its client",
    "httpx.Client._state": "what a run lacks is not fetched where the app has closed its client",
    "wrapt.FunctionWrapper._self_wrapper": "other tracers of openai may not be recognized",
    "wrapt.FunctionWrapper._self_parent": "other tracers of openai may not be recognized",
    "asyncio.Future._exception": "spans of futures that a plain function returns end without their outcome",
}

_degraded: dict[str, None] = {}


def degraded() -> tuple[str, ...]:
    """Names that were looked for and not found, each with what is worse."""
    return tuple(f"{name}: {WITHOUT[name]}" for name in list(_degraded))


def _found(full_name: str, owner: Any) -> Any:
    """The attribute of `owner`; None where it is gone, which is said once."""
    found = getattr(owner, full_name.rpartition(".")[2], None)
    if found is None:
        _gone(full_name)
    return found


def _gone(full_name: str) -> None:
    if full_name not in _degraded:
        _degraded[full_name] = None
        logger.warning(
            "runspan: this version of %s has no %s. Traces go on, but %s. A newer runspan may know this version.",
            full_name.partition(".")[0],
            full_name,
            WITHOUT[full_name],
        )


# ---------------------------------------------------------------- opentelemetry-api


OLD_SUPPRESS_KEY = "suppress_instrumentation"  # of instrumentations that are older than the API's own key


def suppress_key() -> str:
    """The key of a Context that switches all instrumentations off, those of HTTP among them."""
    from opentelemetry import context

    return str(_found("opentelemetry.context._SUPPRESS_INSTRUMENTATION_KEY", context) or OLD_SUPPRESS_KEY)


class PublicContext:
    """OpenTelemetry's own functions for the current Context; its `detach` logs where it fails."""

    def __init__(self, module: Any) -> None:
        self.attach, self.detach, self.get_current = module.attach, module.detach, module.get_current


def runtime_context() -> Any:
    """What holds the current Context: `attach`, `detach`, `get_current`."""
    from opentelemetry import context

    return _found("opentelemetry.context._RUNTIME_CONTEXT", context) or PublicContext(context)


def logs_api() -> Any:
    """The module of log records (its name is private, as long as the API of logs may change); None: gone."""
    try:
        return import_module("opentelemetry._logs")
    except ImportError:
        _gone("opentelemetry._logs")
        return None


def is_logger_provider(provider: Any) -> bool:
    """One that was set: the API's own (no-op, proxy) stand for none, and the proxy's class is not exported."""
    return provider is not None and not type(provider).__module__.startswith("opentelemetry._logs")


# ---------------------------------------------------------------- opentelemetry-sdk

_READ_WHEN_IMPORTED = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"


def import_sdk() -> None:
    """The SDK raises while it is imported where this variable is wrong. `instrument()` is where that is said."""
    if "opentelemetry.sdk.trace" in sys.modules:
        return
    try:
        import_module("opentelemetry.sdk.trace")
    except ValueError:
        held = os.environ.pop(_READ_WHEN_IMPORTED, None)
        if held is None:
            raise
        try:
            import_module("opentelemetry.sdk.trace")
        finally:
            os.environ[_READ_WHEN_IMPORTED] = held


def span_limit(tracer: Any, name: str) -> int | None:
    """One of the SpanLimits of the SDK's tracers; None: no limit, or not known."""
    # Nothing can be imported in the last finalizers.
    sdk: Any = sys.modules.get("opentelemetry.sdk.trace")
    if sdk is None or not isinstance(tracer, sdk.Tracer):
        return None
    limit: int | None = getattr(_found("opentelemetry.sdk.trace.Tracer._span_limits", tracer), name, None)
    return limit


def endpoint_of(exporter: Any) -> Any:
    """Where an OTLP exporter of the SDK sends to: a URL, or host and port; None: can't be told."""
    return _found(
        "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter._endpoint", exporter
    )


def without_fork_hook(kind: type) -> type:
    """A subclass of one of the SDK's classes whose instances do nothing of their own in a forked child.

    The hooks start threads before the child's first line runs. For a child that makes no span that is for nothing, and with gevent
    it does harm: the start of a thread lets all greenlets of the parent go on in the child, also between fork and exec of a
    subprocess, where each may begin subprocesses of its own (open-telemetry/opentelemetry-python#4298).
    A version without such hooks needs none.
    """
    hooks = [name for name in dir(kind) if "fork" in name]
    return type(f"Own{kind.__name__}", (kind,), {name: lambda self: None for name in hooks})


# ---------------------------------------------------------------- openai

BASE_CLIENT = "openai._base_client"  # the module where its clients make requests


def request_owners(openai: Any) -> list[tuple[type, type]]:
    """(class, the class that it inherits `request` from), sync and async. Found by the public classes, whatever their module is."""
    kinds = (getattr(openai, name, None) for name in ("OpenAI", "AsyncOpenAI"))
    clients = [kind for kind in kinds if isinstance(kind, type)]
    bases = [[base for base in kind.__mro__ if "request" in vars(base)] for kind in clients]
    return [(kind, owners[-1]) for kind, owners in zip(clients, bases, strict=True) if owners]


def has_base_client() -> bool:
    """Whether the module of `openai` that is waited for is there, now that `openai` is."""
    if BASE_CLIENT in sys.modules:
        return True
    _gone(BASE_CLIENT)
    return False


def client_of(resource: Any) -> Any:
    """The client that a resource such as `client.files` belongs to; None: can't be told."""
    return _found("openai.resources.Files._client", resource)


def base_url_of(client: Any) -> Any:
    """An object that is the same one as long as the client's `base_url` was not set anew. The property itself costs 3 us."""
    found = getattr(client, "_base_url", None)
    if found is None:
        _gone("openai.OpenAI._base_url")
        return object()
    return found


def transport_of(client: Any) -> Any:
    """Its httpx client."""
    return getattr(client, "_client", None)


def events_of(stream: Any) -> Any:
    """The iterator inside a typed stream, which may be replaced by `replace_events`; None: there is none."""
    return _found("openai.Stream._iterator", stream)


def replace_events(stream: Any, events: Any) -> None:
    stream._iterator = events


CLIENT_CHANGES = ("api_key", "_base_url", "_platform")  # what may be set anew on a client


def has_provider(client: Any) -> bool:
    """Whether the app gave it something that brings keys: a function, or an object of another package."""
    held = list(vars(client).items())  # other threads add to it
    return any(one is not None for name, one in held if "provider" in name or name == "workload_identity")


def settings_of(client: Any) -> dict[str, Any]:
    """Its attributes but for its transport and what leads back to it."""
    return {
        name: value
        for name, value in _attributes(client).items()
        if name != "_client"
        and value is not client
        and not type(value).__module__.startswith(("openai.resources", "openai._client"))
    }


def client_with(template: Any, transport: Any) -> Any:
    """A client of the same class with the settings of `template` and this httpx client."""
    return _shallow(template, _client=transport)


# ---------------------------------------------------------------- httpx and httpcore (or httpx2, whose names are the same)


Certificates = Callable[[Any], Any]  # an SSLContext, and the one to take in its place


def own(certificates: Any) -> Any:
    return certificates


def transport_at_rest(http: Any, certificates: Certificates = own) -> Any:
    """A copy of an httpx client to make `opened_transport` ones from, also after `http` is gone; None: not possible.

    With its settings (proxies, certificates, limits, cookies, hooks) and none of its connections. Of a transport that the app
    wrote itself there is no copy.
    """
    try:
        fresh = _without_connections(http, certificates)
        # It is collected like any other, and must have nothing to close.
        fresh._state = type(http._state).CLOSED
    except (AttributeError, TypeError):
        if type(http).__module__.partition(".")[0] in ("httpx", "httpx2", "openai"):
            for name in ("_transport", "_mounts", "_state"):
                _found(f"httpx.Client.{name}", http)
        return None
    return fresh


def opened_transport(rest: Any) -> Any:
    """A client to send requests with, and to close afterwards."""
    fresh = _without_connections(rest, own)
    fresh._state = type(rest._state).UNOPENED
    return fresh


def _attributes(of: Any) -> dict[str, Any]:
    """Without what stands in place of methods: other tracers put it there, and it leads back to `of` from any copy."""
    held = list(vars(of).items())  # other threads add to it
    return {name: value for name, value in held if not callable(getattr(type(of), name, None))}


def _shallow(of: Any, **changes: Any) -> Any:
    """Another object of the same class with the same attributes but for `changes`. No constructor runs."""
    copied = object.__new__(type(of))
    copied.__dict__.update({**_attributes(of), **changes})
    return copied


def _without_connections(http: Any, certificates: Certificates) -> Any:
    mounts = {key: t and _pool_without_connections(t, certificates) for key, t in http._mounts.items()}
    return _shallow(http, _transport=_pool_without_connections(http._transport, certificates), _mounts=mounts)


def _pool_without_connections(transport: Any, certificates: Certificates) -> Any:
    """Raises AttributeError where it is no transport of httpx itself."""
    pool = transport._pool
    changes: dict[str, Any] = {}
    for name, value in vars(pool).items():
        kind = type(value)
        # A lock, whatever a version calls it; and a backend that has chosen between asyncio and trio when it was used.
        if "lock" in name or kind.__name__ == "AutoBackend":
            changes[name] = kind()
        elif kind.__name__ == "SSLContext":
            changes[name] = certificates(value)
    if not isinstance(pool._connections, list) or not isinstance(pool._requests, list):
        raise TypeError("another kind of pool")
    return _shallow(transport, _pool=_shallow(pool, _connections=[], _requests=[], **changes))


# ---------------------------------------------------------------- wrapt


def wrapper_in(wrapped: Any) -> Any:
    """The function that a FunctionWrapper of wrapt calls; any other object as it is."""
    return getattr(wrapped, "_self_wrapper", wrapped)


def parent_of(bound: Any) -> Any:
    """The wrapper on the class, of one that is bound to an instance; None: it is not bound."""
    return getattr(bound, "_self_parent", None)


# ---------------------------------------------------------------- the standard library

UNKNOWN = object()


def exception_of(future: Any) -> Any:
    """Of a future that is done, without marking it as seen: asyncio warns of one that nobody saw. UNKNOWN: can't be told."""
    try:
        return future._exception
    except AttributeError:
        _gone("asyncio.Future._exception")
        return UNKNOWN
