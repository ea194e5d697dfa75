"""A real browser, headless, driven by selenium: `make test-browser`. Skipped, visibly, where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..support.browser import missing, start

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing()
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    driver = start(tmp_path_factory.mktemp("profile"), 1360, 900, zone="Asia/Tokyo")
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def console_stays_empty(request: pytest.FixtureRequest) -> Iterator[None]:
    """No page may log an error, a warning or a refusal of the policy."""
    yield
    if "browser" in request.fixturenames:
        said = [entry["message"] for entry in request.getfixturevalue("browser").get_log("browser")]
        assert said == []
