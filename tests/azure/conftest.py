"""These tests need azure-ai-agents: `make test-matrix` has an environment for them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("azure") and importlib.util.find_spec("azure.ai.agents"):
        return
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason="azure-ai-agents is not installed (runspan[azure])"))
