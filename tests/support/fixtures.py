"""Fixtures of the tests that start processes: where their apps ask, and where their spans arrive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runspan.fake import Server, serve
from tests.support import receiver as receivers
from tests.support.receiver import Receiver


@pytest.fixture
def server() -> Iterator[Server]:
    """Its runs take half a minute: they live when a process ends."""
    with serve("slow") as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.serve() as receiver:
        yield receiver
