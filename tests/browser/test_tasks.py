"""What readers come for, with what the documentation names and nothing else, at a desk and on a phone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runspan.viewer import RunFilter
from runspan.viewer.web.days import bounds_ns

from ..viewer.runs import a_run
from ..viewer.wire import export, post
from .test_viewer import Page, page, phone, viewer

__all__ = ["page", "viewer"]  # fixtures

ENTER = "\ue007"
TOKYO = ZoneInfo("Asia/Tokyo")  # the browser's zone


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


def test_todays_failed_runs_of_an_assistant(reader: Page) -> None:
    press(reader, ".check")
    reader.until(lambda: "errors=1" in reader.path and reader.has(".chip"))
    choose(reader, "name", "Travel Desk")
    choose(reader, "since", "Today")
    reader.until(lambda: "day" in reader.one(".chips").text)
    shown = reader.texts(".question-line")
    choose(reader, "since", "Yesterday")
    reader.until(lambda: "yesterday" in reader.one(".chips").text)
    shown += reader.texts(".question-line")  # where the day has just become another one
    assert shown[:1] == ["Book me the moon."]


def test_a_chosen_day_filters_at_once(reader: Page) -> None:
    (trip,) = reader.viewer.store.runs(RunFilter(words="sea weekend Lyon"))
    day = datetime.fromtimestamp(trip.start_ns / 1e9, TOKYO)
    press(reader, ".morefilters summary")
    reader.one("input[name=day]").send_keys(f"{day:%m%d%Y}")
    begin, end = bounds_ns(day.date(), TOKYO)
    runs = reader.viewer.store.count_runs(RunFilter(since_ns=begin, until_ns=end))
    reader.until(lambda: f"day={day:%Y-%m-%d}" in reader.path and len(reader.all(".open")) == runs)


def test_the_button_of_the_filters_stays_where_it_is(reader: Page) -> None:
    button = reader.one(".morefilters summary")
    before = button.rect
    button.click()
    reader.until(lambda: reader.has(".morefilters[open]"))
    assert button.rect == before


def test_what_the_slowest_run_waited_for(reader: Page) -> None:
    (slowest,) = reader.viewer.store.runs(RunFilter(sort="duration"), 1)
    choose(reader, "sort", "Longest first")
    reader.until(lambda: "longest first" in reader.one(".chips").text)
    press(reader, ".open")
    reader.until(lambda: reader.has(".phases"))
    assert slowest.trace in reader.path
    assert "Queued" in reader.one(".phases").text


def test_two_runs_compared_whatever_their_tools_said(reader: Page) -> None:
    wide = json.dumps({"hits": [{"url": "https://example.com/" + "x" * 300}] * 40})
    for number, result in ((801, wide), (802, "{}")):
        *rest, tool = a_run(number, "Which page is it?", more={"session.id": "s-wide"})
        tool = replace(tool, attributes={**tool.attributes, "gen_ai.tool.call.result": result})
        post(reader.viewer.port, export(*rest, tool))
    try:
        reader.open("/?session=s-wide")
        for box in reader.all(".pick input"):
            box.click()
        press(reader, "#compare")
        reader.until(lambda: reader.has(".toolcell"))
        assert reader.texts(".side .question-line") == ["Which page is it?"] * 2
        assert reader.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        press(reader, "#back")
        reader.until(lambda: "session=s-wide" in reader.path and len(reader.all(".open")) == 2)
    finally:
        reader.viewer.store.delete([f"{801:032x}", f"{802:032x}"])


def test_what_a_user_cost(reader: Page) -> None:
    press(reader, "nav a", "Overview")
    reader.until(lambda: reader.has("#by-user") and reader.has("#live:not([hidden])"))
    cost = f"${sum(run.cost or 0 for run in reader.viewer.store.runs(RunFilter(user='grace'))):.4f}"
    row = next(row for row in reader.all("#by-user tbody tr") if "grace" in row.text)
    last = row.find_elements("css selector", "td")[-1]
    assert last.text == cost
    edge = last.rect["x"] + last.rect["width"]
    assert edge <= reader.driver.execute_script("return innerWidth"), "it is seen without moving the table"
    press(reader, ".sums th a", "grace")
    reader.until(lambda: "user=grace" in reader.path and reader.has("#live:not([hidden])"))
    reader.until(lambda: reader.has(".strip"))
    assert cost in reader.one(".strip").text


def test_the_users_are_suggested(reader: Page) -> None:
    users = {option.get_attribute("value") for option in reader.all("#users option")}
    assert {"ada", "grace"} <= users


def test_the_model_with_the_longest_first_token(reader: Page) -> None:
    reader.open("/overview")
    choose(reader, "sort", "Slowest first token first")
    stored = reader.viewer.store.groups_of_numbers(RunFilter(), ["model"])
    known = {group.keys["model"]: group.percentile("first_token_s", 50) for group in stored}
    slowest = max(known, key=lambda model: known[model] or 0)
    reader.until(lambda: reader.texts("#by-model tbody th")[:1] == [slowest])


@pytest.mark.parametrize("is_kept_from_us", [False, True], ids=["clipboard", "no clipboard"])
def test_the_arguments_of_a_tool_are_copied(reader: Page, is_kept_from_us: bool) -> None:
    """Also where the page came over plain HTTP from another machine, which gets no clipboard from the browser."""
    (trip,) = reader.viewer.store.runs(RunFilter(words="sea weekend Lyon"))
    reader.open(f"/trace/{trip.trace}?span={trip.span}")
    if is_kept_from_us:
        reader.driver.execute_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    # what is copied is noted: a headless browser has no clipboard of its own to read
    reader.driver.execute_script(
        "window.copied = '';"
        " if (navigator.clipboard) navigator.clipboard.writeText = async (text) => { window.copied = text; };"
        " document.execCommand = () => { window.copied = document.activeElement.value; return true; };"
    )
    press(reader, '.copy[title="Copy the arguments"]')
    reader.until(lambda: reader.driver.execute_script("return window.copied"))
    assert json.loads(reader.driver.execute_script("return window.copied")) == {"city": "Marseille"}
    press(reader, '.copy[title="Copy the trace id"]')
    reader.until(lambda: reader.driver.execute_script("return window.copied") == trip.trace)
    reader.until(lambda: reader.one("#notice").text == "Copied")
    assert reader.has('.copy[title="Copy the trace id"] svg'), "the button keeps its picture"


def test_a_pasted_log_line_opens_its_trace(reader: Page) -> None:
    (trip,) = reader.viewer.store.runs(RunFilter(words="sea weekend Lyon"))
    for line in (f"12:03 INFO [trace_id={trip.trace} span_id={trip.span}] sent", trip.trace[:12]):
        reader.open("/")
        reader.one("#search").send_keys(line + ENTER)
        reader.until(lambda: reader.path.startswith(f"/trace/{trip.trace}"))


def test_a_session_is_deleted_and_the_page_says_so(reader: Page) -> None:
    post(reader.viewer.port, export(*a_run(803, "Forget this", more={"session.id": "s-gone"})))
    reader.open("/sessions")
    press(reader, ".open", "Forget this")
    reader.until(lambda: "s-gone" in reader.path and reader.has("#live:not([hidden])"))
    press(reader, "[data-method=DELETE]")
    reader.until(lambda: reader.driver.switch_to.alert).accept()
    reader.until(lambda: reader.path == "/sessions" and reader.one("#notice").text == "Deleted")
    assert reader.viewer.store.count_runs(RunFilter(session="s-gone")) == 0


def test_the_run_in_which_something_was_asked(reader: Page) -> None:
    reader.one("#search").send_keys("parental leave" + ENTER)
    reader.until(lambda: reader.has(".question-line mark"))
    assert reader.texts(".question-line")[0].startswith("How long is parental leave")


def test_the_conversation_of_an_id_from_a_log_line(reader: Page) -> None:
    (run,) = reader.viewer.store.runs(RunFilter(words="sea weekend Lyon"))
    reader.one("#search").send_keys(run.thread + ENTER)
    reader.until(lambda: len(reader.all(".runcard")) == 2)


def test_a_search_is_saved_as_a_file(reader: Page) -> None:
    reader.one("#search").send_keys("train" + ENTER)
    reader.until(lambda: "q=train" in reader.path and reader.has("a[download]"))
    saves = reader.one("a[download]")
    assert saves.rect["y"] < reader.one(".filters").rect["y"], "it stands beside what it saves"
    assert saves.get_attribute("href").endswith("/api/v1/export?q=train")


def test_the_documentation_is_found(reader: Page) -> None:
    press(reader, ".top a", "Docs")
    reader.until(lambda: reader.texts("article h1") == ["The local viewer"])
    assert reader.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
