"""What there is to know of a pipeline of azure-core: whose it is, its policies, its transport.

All Azure clients share the class, and paths of other services look like those of agents (chats have threads, too). A pipeline of
an agents client is known by the name that its client writes into the User-Agent. Policies and transport are found by what they can
do, not by private names.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterator
from typing import Any

AGENTS = "azsdk-python-ai-agents/"  # how the User-Agent of azure-ai-agents begins, behind what the app puts before it

_of_agents: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


def is_of_agents(pipeline: Any) -> bool:
    """Looked up once for each pipeline."""
    known = _of_agents.get(pipeline)
    if known is None:
        known = _of_agents[pipeline] = any(AGENTS in agent for agent in _user_agents(pipeline))
    return known


def _user_agents(pipeline: Any) -> Iterator[str]:
    for policy in policies_of(pipeline):
        # Policies without I/O stand inside of a runner.
        for part in (policy, *getattr(policy, "__dict__", {}).values()):
            agent = getattr(part, "user_agent", None)
            if isinstance(agent, str):
                yield agent


def policies_of(pipeline: Any) -> list[Any]:
    """The first one first; the last one hands over to the transport."""
    lists = (value for value in vars(pipeline).values() if isinstance(value, list))
    return next((one for one in lists if one and all(hasattr(policy, "send") for policy in one)), [])


def transport_of(pipeline: Any) -> Any:
    """None: it has none that can be recognized."""
    parts = vars(pipeline).values()
    return next((one for one in parts if hasattr(one, "send") and hasattr(one, "open")), None)


def is_open(pipeline: Any) -> bool:
    """Whether requests still work. Transports of azure-core itself have no session once they are closed."""
    return getattr(transport_of(pipeline), "session", True) is not None


# The transports that azure-core makes itself, of which another one can be made.
TRANSPORTS = ("RequestsTransport", "AioHttpTransport", "AsyncioRequestsTransport")


def _is_usual(session: Any) -> bool:
    """Whether a session is as azure-core itself makes it (None: it will). One of the app may lead elsewhere."""
    adapters = getattr(session, "adapters", None)
    if adapters is None:  # of aiohttp, where azure-core alone decompresses by itself
        return session is None or not getattr(session, "auto_decompress", True)
    is_own = all(type(adapter).__module__.startswith("azure.core.") for adapter in adapters.values())
    return is_own and not (session.proxies or session.cert or session.auth)


class Rest:
    """What is kept of a pipeline whose app may close it: its policies with all credentials, and none of its connections."""

    def __init__(self, pipeline: Any) -> None:
        transport = transport_of(pipeline)
        self._kind = type(pipeline)
        self._policies = [copy.copy(policy) for policy in policies_of(pipeline)]
        for policy in self._policies:  # they would lead to the transport
            policy.next = None
        kind = type(transport)
        is_known = kind.__name__ in TRANSPORTS and kind.__module__.startswith("azure.core.")
        self.can_open = is_known and _is_usual(getattr(transport, "session", None))
        self._transport_kind = kind
        self._connection = getattr(transport, "connection_config", None)
        # Proxies of the environment, which the app may have switched off.
        self._trusts_environment = getattr(getattr(transport, "session", None), "trust_env", True)

    def opened(self) -> Any:
        """Another pipeline with the same policies and a transport of its own, to be used with `with`."""
        transport = self._transport_kind(use_env_settings=self._trusts_environment)
        if self._connection is not None:
            transport.connection_config = self._connection
        return self._kind(transport, [copy.copy(policy) for policy in self._policies])
