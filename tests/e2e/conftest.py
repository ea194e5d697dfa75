"""The client marks its Assistants surface as deprecated, some of it without naming the API; its retries come at once."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:deprecated$:DeprecationWarning")


@pytest.fixture(autouse=True, scope="session")
def no_waiting_before_a_retry() -> Iterator[None]:
    """The client waits half a second before its first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.005)
        yield
