"""The client marks its Assistants surface as deprecated, some of it without naming the API."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:deprecated$:DeprecationWarning")
