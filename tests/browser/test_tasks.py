"""What readers come for, with what the documentation names and nothing else, at a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import datetime, timezone
from typing import Any

import pytest

from runspan.viewer import RunFilter

from .test_viewer import Page, page, phone, viewer

__all__ = ["page", "viewer"]  # fixtures

ENTER = "\ue007"


@pytest.fixture(params=["desktop", "phone"])
def reader(page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    with phone(page) if request.param == "phone" else nullcontext():
        page.open("/")
        yield page


def soon(page: Page, act: Callable[[], Any]) -> None:
    """Again where the page changes under the hand; a reader would, too."""
    page.until(lambda: (act(), True)[1])


def choose(page: Page, name: str, words: str) -> None:
    from selenium.webdriver.support.ui import Select

    def act() -> None:
        if not page.has(".morefilters[open]"):
            page.one(".morefilters summary").click()
        Select(page.one(f"select[name={name}]")).select_by_visible_text(words)

    soon(page, act)
    page.until(lambda: f"{name}=" in page.path and page.has("#live:not([hidden])"))


def press(page: Page, selector: str, words: str = "") -> None:
    def act() -> None:
        found = next(
            element for element in page.all(selector) if words in element.text and element.is_displayed()
        )
        page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()

    soon(page, act)


def test_a_days_failed_runs_of_an_assistant(reader: Page) -> None:
    press(reader, ".check")
    reader.until(lambda: "errors=1" in reader.path and reader.has(".chip"))
    choose(reader, "name", "Travel Desk")
    day = datetime.now(timezone.utc).date()
    reader.driver.execute_script(f"document.querySelector('input[name=day]').value = '{day}'")
    press(reader, ".filters > .button")
    reader.until(
        lambda: f"day={day}" in reader.path and reader.texts(".question-line") == ["Book me the moon."]
    )
    press(reader, ".open")
    reader.until(lambda: reader.has(".answerline"))
    assert "time limit" in reader.one(".reason").text


def test_what_the_slowest_run_waited_for(reader: Page) -> None:
    (slowest,) = reader.viewer.store.runs(RunFilter(sort="duration"), 1)
    choose(reader, "sort", "Longest first")
    press(reader, ".open")
    reader.until(lambda: reader.has(".phases"))
    assert slowest.trace in reader.path
    assert "Queued" in reader.one(".phases").text


def test_what_a_user_cost(reader: Page) -> None:
    press(reader, "nav a", "Overview")
    reader.until(lambda: reader.has(".sums"))
    press(reader, ".sums th a", "grace")
    reader.until(lambda: "user=grace" in reader.path and reader.has("#live:not([hidden])"))
    reader.until(lambda: reader.has(".strip"))
    cost = sum(run.cost or 0 for run in reader.viewer.store.runs(RunFilter(user="grace")))
    assert f"${cost:.4f}" in reader.one(".strip").text


def test_the_conversation_of_an_id_from_a_log_line(reader: Page) -> None:
    (run,) = reader.viewer.store.runs(RunFilter(words="sea weekend Lyon"))
    reader.one("#search").send_keys(run.thread + ENTER)
    reader.until(lambda: len(reader.all(".runcard")) == 2)


def test_a_search_is_saved_as_a_file(reader: Page) -> None:
    reader.one("#search").send_keys("train" + ENTER)
    reader.until(lambda: "q=train" in reader.path and reader.has(".list-actions a"))
    assert reader.one(".list-actions a").get_attribute("href").endswith("/api/v1/export?q=train")


def test_the_documentation_is_found(reader: Page) -> None:
    press(reader, ".top a", "Docs")
    reader.until(lambda: reader.texts("article h1") == ["The local viewer"])
    assert reader.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
