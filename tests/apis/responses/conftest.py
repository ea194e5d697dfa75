"""Through the real client. One of before 2025 has no responses."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from tests.apis.responses.server import Scripted, serving

collect_ignore_glob = [] if find_spec("openai.types.responses") else ["*"]


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as running:
        yield running


@pytest.fixture
def client(server: Scripted) -> Iterator[Any]:
    with server.client() as made:
        yield made
