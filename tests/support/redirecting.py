"""A server that names another address for whatever is posted to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.answering import answering


@contextmanager
def redirecting(status: int, to: str) -> Iterator[str]:
    """Its address."""
    with answering(status, {"Location": to}) as receiver:
        yield receiver.endpoint
