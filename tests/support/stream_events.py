"""Events of a stream as an API reads them."""

from __future__ import annotations

from typing import Any

from runspan.apis.api import Api
from runspan.core.model import Observation, Source


def read(api: Api, name: str, data: Any, at_ns: int, **ids: str) -> Observation:
    """One that came at once, in a stream whose `conversation_id` and `run_id` are known."""
    assert api.events is not None
    seen = Observation(request_ns=at_ns, response_ns=at_ns, source=Source.STREAM, event=name, **ids)
    return api.events.read(data, seen)
