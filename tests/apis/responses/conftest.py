from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.apis.responses.server import Scripted, serving


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as running:
        yield running


@pytest.fixture
def client(server: Scripted) -> Iterator[Any]:
    with server.client() as made:
        yield made
