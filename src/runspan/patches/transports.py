"""A client of httpx with the settings of another one and none of its connections.

The app's own transport may be closed, gone, or bound to an event loop that has ended. Proxies, certificates, limits, cookies and
hooks are in it, so a copy is made of it before that happens. This module alone knows the private names of httpx and httpcore, which
are the same in httpx2; where they are gone or the app wrote a transport of its own, there is no copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LOCKS = ("_optional_thread_lock", "_pool_lock")  # of httpcore >= 1.0.3, and before


def shallow(of: Any, **changes: Any) -> Any:
    """Another object of the same class with the same attributes but for `changes`. No constructor runs."""
    copied = object.__new__(type(of))
    copied.__dict__.update({**vars(of), **changes})
    return copied


def at_rest(http: Any) -> Any:
    """A copy of an httpx client to make `opened` ones from, also after `http` is gone; None: not possible."""
    try:
        fresh = _fresh(http)
        fresh._state = type(
            http._state
        ).CLOSED  # it is collected like any other client, and must have nothing to close
    except (AttributeError, TypeError):
        return None
    return fresh


def opened(rest: Any) -> Any:
    """A client to send requests with, and to close afterwards."""
    fresh = _fresh(rest)
    fresh._state = type(rest._state).UNOPENED
    return fresh


def _fresh(http: Any) -> Any:
    mounts: Mapping[Any, Any] = http._mounts
    return shallow(
        http,
        _transport=_without_connections(http._transport),
        _mounts={pattern: t and _without_connections(t) for pattern, t in mounts.items()},
    )


def _without_connections(transport: Any) -> Any:
    """Raises AttributeError where it is no transport of httpx itself."""
    pool = transport._pool
    changes = {name: type(vars(pool)[name])() for name in _LOCKS if name in vars(pool)}
    backend = pool._network_backend
    if type(backend).__name__ == "AutoBackend":  # one that was used has chosen between asyncio and trio
        changes["_network_backend"] = type(backend)()
    if not isinstance(pool._connections, list) or not isinstance(pool._requests, list):
        raise TypeError("another kind of pool")
    return shallow(transport, _pool=shallow(pool, _connections=[], _requests=[], **changes))
