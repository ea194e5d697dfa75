"""These tests need azure-ai-agents, with aiohttp for its async clients: `make test-matrix` has an environment for them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacks = next(
        (name for name in ("azure", "azure.ai", "azure.ai.agents", "aiohttp") if not _has(name)), None
    )
    for item in items:
        if lacks and item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason=f"{lacks} is not installed: make test-matrix has it"))


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
