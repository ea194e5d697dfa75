"""Which calls are ours: the tables of all APIs, asked one after the other."""

from __future__ import annotations

from functools import lru_cache

from . import files
from .assistants import routes as assistants
from .assistants.routes import Match


@lru_cache(maxsize=2048)  # the polls of a run repeat their URL
def match(method: str, url: str) -> Match | None:
    """The endpoint of a call, or None: then it is none of our business."""
    return assistants.match(method, url) or files.match(method, url)
