"""The seven ways an app uses the client; each recording is played in all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Mode:
    name: str
    client: Literal["sync", "async"]
    # .stream() with callbacks, .stream() in a loop, create(stream=True) in a loop
    streams: Literal["handler", "iterated", "raw"]
    # one retrieve() per recorded poll, or create_and_poll()
    polls: Literal["calls", "helper"]

    @property
    def is_async(self) -> bool:
        return self.client == "async"


MODES = (
    Mode("sync-handler", "sync", "handler", "calls"),
    Mode("sync-iterated", "sync", "iterated", "calls"),
    Mode("sync-raw", "sync", "raw", "calls"),
    Mode("sync-handler-poll-helper", "sync", "handler", "helper"),
    Mode("async-handler", "async", "handler", "calls"),
    Mode("async-iterated", "async", "iterated", "calls"),
    Mode("async-raw-poll-helper", "async", "raw", "helper"),
)
