"""Webhooks: `client.webhooks.unwrap` hands the app an event that says that a run is over, and no more than the run's id.

A process that was told so is the one that sees the run's end, though it may never have seen the run alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...apis.api import Apis
from ...guard import guarded
from ...runtime.records import decode
from ...runtime.registry import RunRegistry
from ..result_copy import copy


class Announcements:
    def __init__(self, apis: Apis, registry: RunRegistry) -> None:
        self._apis = apis
        self._registry = registry

    def unwrap(
        self, wrapped: Callable[..., Any], webhooks: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        event = wrapped(*args, **kwargs)
        with guarded("read an event of a webhook"):
            run_id = self._apis.announced(decode(copy(event)))
            if run_id is not None:
                self._registry.announced.put(run_id, True)
        return event
