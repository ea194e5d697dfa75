"""The viewer as a reader meets it: real runs through the official client, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runspan
from runspan.cli import scene
from runspan.viewer import RunFilter, Viewer, serve

from ..viewer.hand_made import messages, operation, span
from ..viewer.runs import a_run
from ..viewer.wire import export, post

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

ATTACK = (
    '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><svg/onload=window.pwned=1>'
    "\"'`{{7*7}}\x1b[31m\u202egnp"
)


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    with serve(port=0, db=tmp_path_factory.mktemp("store") / "traces.db") as running:
        runspan.instrument(endpoint=running.endpoint, service_name="support-app", prices=scene.PRICES)
        try:
            scene.play(lambda _: None)
        finally:
            runspan.uninstrument()
        yield running


class Page:
    """What a reader does."""

    def __init__(self, driver: Chrome, viewer: Viewer) -> None:
        self.driver = driver
        self.viewer = viewer

    def open(self, path: str) -> None:
        self.driver.get(self.viewer.endpoint + path)
        self.until(lambda: self.has("#live:not([hidden])"))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements("css selector", selector)

    def has(self, selector: str) -> bool:
        return bool(self.all(selector))

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.all(selector)]

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def until(self, done: Callable[[], Any]) -> Any:
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(self.driver, 30, 0.05, [StaleElementReferenceException])
        return wait.until(lambda _: done())

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.viewer.endpoint)


@pytest.fixture
def page(browser: Chrome, viewer: Viewer) -> Page:
    return Page(browser, viewer)


def test_the_runs_are_listed_and_filtered(page: Page) -> None:
    page.open("/")
    assert len(page.all("tr[data-row]")) == page.viewer.store.count_runs(RunFilter()) == 11
    assert set(page.texts(".c-state")) == {"completed", "failed", "expired", "incomplete"}
    page.one(".morefilters summary").click()
    page.one('select[name="status"]').send_keys("failed")
    page.until(lambda: "status=failed" in page.path)
    page.until(lambda: page.texts(".c-state") == ["failed"])
    assert "rate_limit_exceeded" in page.one(".c-what").text
    assert page.one(".c-cost").text == "$0"
    page.one(".chip").click()
    page.until(lambda: len(page.all("tr[data-row]")) == 11)


def test_words_are_searched_with_the_keyboard(page: Page) -> None:
    page.open("/")
    page.press("/")
    page.press("pension\ue007")
    page.until(lambda: page.texts(".c-name bdi")[:1] == ["Handbook"])
    page.open("/?q=%E4%BD%8F%E5%AE%BF%E6%A0%87%E5%87%86")
    assert page.texts(".c-name bdi")[0] == "Handbook"
    assert len(page.all("tr[data-row]")) == 1
    page.open("/?q=no+such+words")
    assert page.one(".empty h2").text == "No run matches"


def test_columns_sort(page: Page) -> None:
    page.open("/")
    page.one('th a[href*="sort=duration"]').click()
    page.until(lambda: page.has('th[aria-sort="descending"] a[href*="duration"]'))
    stored = [run.question for run in page.viewer.store.runs(RunFilter(sort="duration"))]
    assert page.texts(".open") == stored


def test_errors_are_one_tick_and_mean_every_bad_end(page: Page) -> None:
    page.open("/")
    page.one(".check input").click()
    page.until(lambda: "errors=1" in page.path)
    page.until(lambda: page.has(".chip"))
    assert set(page.texts(".c-state")) == {"failed", "expired"}


def test_an_id_from_a_log_line_opens_its_trace(page: Page) -> None:
    (run,) = page.viewer.store.runs(RunFilter(words="sea weekend Lyon"))
    for name in (run.trace, run.run_id, run.span):
        page.open("/")
        page.press("/")
        page.press(f"{name}\ue007")
        page.until(lambda: page.path.startswith(f"/trace/{run.trace}"))


def test_hits_are_marked(page: Page) -> None:
    page.open("/?q=train")
    marks = page.all("mark")
    # Not by `text`, which is empty beyond the end of a line that is cut: what fits depends on the machine's fonts.
    assert {str(mark.get_property("textContent")).lower() for mark in marks} == {"train"}


@contextmanager
def phone(page: Page) -> Iterator[None]:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield
    finally:
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "width": 1360, "height": 900, "mobile": False}
        )


def trip(page: Page) -> None:
    """The trace of the run that called two functions."""
    (run,) = page.viewer.store.runs(RunFilter(words="sea weekend Lyon"))
    page.open(f"/trace/{run.trace}?span={run.span}")


def shown(page: Page) -> list[str]:
    return [
        row.find_element("css selector", "bdi").text
        for row in page.all("#tree [role=row]")
        if row.is_displayed()
    ]


def test_a_trace_opens_as_a_waterfall_and_collapses(page: Page) -> None:
    trip(page)
    every = shown(page)
    assert every[0] == "handle_message"
    assert {
        "invoke_agent Travel Desk",
        "chat gpt-4.1",
        "execute_tool get_weather",
        "execute_tool find_trains",
    } <= set(every)
    assert page.one('[aria-selected="true"] bdi').text == "invoke_agent Travel Desk"
    phases = {
        element.get_attribute("class").split()[0] for element in page.all('[aria-selected="true"] rect')
    }
    assert {"p-queue", "p-active", "p-wait"} <= phases
    page.one('[aria-selected="true"] .fold').click()
    folded = shown(page)
    assert "execute_tool get_weather" not in folded
    assert page.one('[aria-selected="true"]').get_attribute("aria-expanded") == "false"
    assert page.one('[aria-selected="true"] .folded').text == f"+{len(every) - len(folded)}"
    page.press("\ue014")  # right
    assert shown(page) == every


def test_a_span_is_chosen_by_keys_and_stands_in_the_address(page: Page) -> None:
    trip(page)
    before = page.path
    page.press("j")
    page.until(lambda: page.one("#panel h2").text.endswith("chat gpt-4.1"))
    assert page.path != before
    assert page.texts("#panel .bubble.r-user")[-1].endswith("By train, please.")
    page.driver.refresh()
    assert page.one('[aria-selected="true"] bdi').text == "chat gpt-4.1"
    next(row for row in page.all("#tree [role=row]") if "find_trains" in row.text).click()
    page.until(lambda: "find_trains" in page.one("#panel h2").text)
    assert '"from": "Lyon"' in page.one("#panel pre.json").text
    page.press("\ue012", "\ue012")  # left, left: to the parent, then collapse it
    page.until(lambda: page.one('[aria-selected="true"] bdi').text == "invoke_agent Travel Desk")


def test_code_and_its_logs_and_what_was_retrieved_are_shown(page: Page) -> None:
    spans = [
        s
        for run in page.viewer.store.runs(RunFilter(words="1,628.89"))
        for s in page.viewer.store.spans(run.trace)
    ]
    code = next(s for s in spans if s.attributes.get("gen_ai.tool.name") == "code_interpreter")
    page.open(f"/trace/{code.trace_id}?span={code.span_id}")
    assert "for year in range" in page.one("pre.code.code").text
    assert page.one("pre.logs").text == "1628.89"
    (run,) = page.viewer.store.runs(RunFilter(words="pension"))
    found = next(
        s for s in page.viewer.store.spans(run.trace) if s.attributes.get("gen_ai.tool.name") == "file_search"
    )
    page.open(f"/trace/{found.trace_id}?span={found.span_id}")
    assert any("leave-policy.md" in text for text in page.texts(".documents li"))


def test_zooming_shows_the_part_and_the_whole_again(page: Page) -> None:
    trip(page)
    boxes = lambda: {svg.get_dom_attribute("viewBox") for svg in page.all("#tree .bar svg")}  # noqa: E731
    ticks = page.texts("#axis i")
    page.press("j", "j", "z")
    page.until(lambda: boxes() != {"0 0 100 14"})
    assert len(boxes()) == 1
    assert page.texts("#axis i") != ticks
    page.press("0")
    assert boxes() == {"0 0 100 14"}
    page.one('[data-zoom="in"]').click()
    assert boxes() == {"25 0 50 14"}


def test_details_stand_below_or_beside_and_it_is_remembered(page: Page) -> None:
    trip(page)
    tree, panel = page.one(".tree"), page.one("#panel")
    assert panel.rect["y"] > tree.rect["y"] + tree.rect["height"]
    page.press("d")
    assert panel.rect["x"] > tree.rect["x"] + tree.rect["width"]
    trip(page)
    assert page.has(".split.beside")
    page.one("#place").click()
    assert not page.has(".split.beside")


def test_a_tap_on_a_phone_opens_the_details_over_the_page(page: Page) -> None:
    with phone(page):
        trip(page)
        next(row for row in page.all("#tree [role=row] a") if "find_trains" in row.text).click()
        page.until(lambda: page.has("#panel.sheet"))
        assert page.one("#panel").rect["height"] > 400
        page.one("[data-close]").click()
        assert not page.has("#panel.sheet")


def test_pictures_show_and_no_other_server_is_asked(page: Page) -> None:
    pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    web = "https://img.example/cat.png"
    asked = messages(
        (
            "user",
            [
                {"type": "image_url", "image_url": {"url": pixel}},
                {"type": "uri", "modality": "image", "uri": web},
            ],
        )
    )
    answered = messages(("assistant", f"Seen: ![one]({pixel}) ![two]({web})"))
    call = operation("chat", {"gen_ai.input.messages": asked, "gen_ai.output.messages": answered})
    assert post(page.viewer.port, export(span(1, 0, "chat", 0, 9, 980, **call))).status == 200
    page.open(f"/trace/{980:032x}")
    widths = page.driver.execute_script(
        "return [...document.querySelectorAll('main img')].map((one) => one.naturalWidth)"
    )
    assert widths == [1, 1]
    links = [(link.get_attribute("href"), link.get_attribute("rel")) for link in page.all(".chat a")]
    assert links == [(web, "noopener noreferrer nofollow")] * 2
    loaded = page.driver.execute_script(
        "return performance.getEntriesByType('resource').map((one) => one.name)"
    )
    assert all(name.startswith((page.viewer.endpoint, "data:")) for name in loaded)
    page.viewer.store.delete([f"{980:032x}"])


def test_a_tools_arguments_are_copied(page: Page) -> None:
    trip(page)
    origin = page.viewer.endpoint
    page.driver.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    button = page.one('.toolsteps [aria-label="Copy the arguments"]')
    page.driver.execute_script("arguments[0].click()", button)
    page.until(lambda: "done" in button.get_attribute("class"))
    copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert json.loads(copied) == {"city": "Marseille"}


def test_an_error_is_found_by_its_key(page: Page) -> None:
    (run,) = page.viewer.store.runs(RunFilter(status="failed"))
    page.open(f"/trace/{run.trace}")
    page.press("\ue011")  # home
    page.press("e")
    page.until(lambda: page.has("#panel .error"))
    assert "rate_limit_exceeded" in page.one("#panel .error").text


def test_the_thread_is_a_chat_with_each_run_in_its_place(page: Page) -> None:
    (run,) = page.viewer.store.runs(RunFilter(words="Sunday evening"))
    page.open(f"/trace/{run.trace}?span={run.span}")
    page.one('.facts a[href^="/thread"]').click()
    page.until(lambda: page.has(".talk"))
    roles = [element.text.split("\n")[0] for element in page.all(".talk > .bubble > header")]
    assert roles == ["user", "assistant", "user", "assistant"]
    assert len(page.all(".talk > .runcard")) == 2
    assert page.texts(".toolsteps bdi").count("find_trains") == 2
    page.one(".runcard").click()
    page.until(lambda: page.has("#tree"))


def test_a_session_goes_across_threads(page: Page) -> None:
    page.open("/sessions")
    next(link for link in page.all(".open") if "s-77c0" in link.get_attribute("href")).click()
    page.until(lambda: page.has(".talk"))
    assert len(page.all(".divider")) >= 2
    assert len(page.all(".runcard")) == 3


def test_two_runs_are_compared(page: Page) -> None:
    page.open("/?session=s-3f81")
    for box in page.all(".pick input")[:2]:
        box.click()
    assert page.one("#tray-count").text.startswith("2 runs chosen")
    assert not any(box.is_enabled() for box in page.all(".pick input:not(:checked)"))
    page.one("#compare").click()
    page.until(lambda: page.has(".sides"))
    assert page.texts(".side bdi") == ["Math Tutor", "Math Tutor"]
    assert "Duration" in page.texts(".numbers th[scope=row]")
    assert "differ too much" in page.one(".note").text
    assert page.texts(".toolcell bdi") == ["code_interpreter", "code_interpreter"]


def test_a_file_dropped_on_a_page_is_taken_in(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "dropped.bin"
    path.write_bytes(export(*a_run(950, "Where did this come from?", at_ms=9e9)))
    page.open("/traces")
    page.one("input[data-import]").send_keys(str(path))
    page.until(lambda: any("Where did this come from?" in text for text in page.texts(".open")))
    page.viewer.store.delete([f"{950:032x}"])


def test_a_trace_is_kept_and_deleted(page: Page) -> None:
    assert post(page.viewer.port, export(*a_run(960, "Delete me"))).status == 200
    page.open(f"/trace/{960:032x}")
    page.one('[data-url$="/keep"]').click()
    page.until(lambda: page.has('[data-url$="/release"]'))
    assert page.viewer.store.is_kept(f"{960:032x}")
    page.one('[data-method="DELETE"]').click()
    page.driver.switch_to.alert.accept()
    page.until(lambda: page.path == "/")
    assert page.viewer.store.spans(f"{960:032x}") == []


def test_the_overview_leads_to_the_runs_of_a_day(page: Page) -> None:
    page.open("/overview")
    page.one(".plot a").send_keys("\ue007")
    page.until(lambda: "day=" in page.path)


def test_new_runs_show_by_themselves(page: Page) -> None:
    page.open("/?user=late")
    assert page.has(".empty")
    page.one("#theme").click()
    assert post(page.viewer.port, export(*a_run(901, more={"user.id": "late"}))).status == 200
    page.until(lambda: len(page.all("tr[data-row]")) == 1)
    assert post(page.viewer.port, export(*a_run(902, more={"user.id": "late"}))).status == 200
    page.until(lambda: len(page.all("tr[data-row]")) == 2)


def test_times_are_the_readers_own(page: Page) -> None:
    assert post(page.viewer.port, export(*a_run(903))).status == 200
    page.open(f"/trace/{903:032x}")
    assert "Jan 5, 2026, 07:00:00 PM GMT+9" in page.one(".facts").text.replace("\u202f", " ")


def hostile() -> tuple[Any, ...]:
    """A run with an attack in every field that a page shows."""
    spans = a_run(666, ATTACK, ATTACK, more={
        "gen_ai.agent.name": ATTACK, "gen_ai.conversation.id": ATTACK, "session.id": "s" + ATTACK, "user.id": ATTACK,
        "runspan.run.id": ATTACK, "runspan.run.status": ATTACK, "runspan.run.unfinished": ATTACK, ATTACK: ATTACK,
    }, earlier=(("assistant", ATTACK), (ATTACK, ATTACK)))  # fmt: skip
    odd = operation("execute_tool", {
        "gen_ai.tool.name": ATTACK, "gen_ai.tool.call.arguments": ATTACK, "gen_ai.tool.call.result": ATTACK,
        "gen_ai.retrieval.documents": [{"id": ATTACK, "name": ATTACK, "score": ATTACK, "content": ATTACK}],
    })  # fmt: skip
    call = operation("chat", {
        "gen_ai.response.model": ATTACK, "gen_ai.system_instructions": ATTACK,
        "gen_ai.input.messages": messages((ATTACK, [{"type": ATTACK, "content": ATTACK}, {"type": "tool_call", "name": ATTACK,
                                                   "arguments": ATTACK}, {"type": "uri", "uri": "javascript:window.pwned=1"}])),
    })  # fmt: skip
    return (
        replace(
            spans[0],
            name=ATTACK,
            status_code="ERROR",
            status_message=ATTACK,
            resource={"service.name": ATTACK},
        ),
        *spans[1:],
        span(8, 2, ATTACK, 5, 6, 666, **odd),
        span(9, 2, ATTACK, 5, 6, 666, **call),
        span(10, 77, ATTACK, 5, 6, 666, scope=ATTACK),
    )


def test_scripts_in_every_field_stay_text(page: Page) -> None:
    spans = hostile()
    assert post(page.viewer.port, export(*spans)).status == 200
    other = page.viewer.store.runs(RunFilter(session="s-3f81"))[0]
    (bad,) = (r for r in page.viewer.store.runs_of_trace(spans[0].trace_id) if r.sort == "run")
    links = [
        "/",
        "/traces",
        "/threads",
        "/sessions",
        "/?q=onerror",
        f"/compare?run={other.trace}.{other.span}&run={bad.trace}.{bad.span}",
    ]
    links += [f"/trace/{one.trace_id}?span={one.span_id}" for one in spans]
    seen = 0
    for link in links:
        page.open(link)
        seen += "onerror" in page.one("main").text
        for follow in ("a[href^='/thread?']", "a[href^='/session?']"):
            if found := [
                a.get_attribute("href") for a in page.all(follow) if "onerror" in a.get_attribute("href")
            ]:
                links += [href.removeprefix(page.viewer.endpoint) for href in found if len(links) < 24]
        assert page.driver.execute_script("return window.pwned") is None
        assert (
            page.driver.execute_script(
                "return document.querySelectorAll('main img, main script, main [onload]').length"
            )
            == 0
        )
        hidden = page.driver.execute_script("return document.querySelector('main').textContent")
        assert "\x1b" not in hidden
        assert "\u202e" not in hidden
        assert page.has("nav a[href='/sessions']")
        schemes = page.driver.execute_script("return [...document.links].map(a => a.protocol)")
        assert set(schemes) == {"http:"}
    assert seen > 8


def test_nothing_is_asked_of_anyone_else(page: Page) -> None:
    asked: set[str] = set()
    for path in ("/", "/traces", "/threads", "/sessions", "/compare"):
        page.open(path)
        asked |= set(
            page.driver.execute_script(
                "return performance.getEntriesByType('resource').map(e => new URL(e.name).origin)"
            )
        )
    assert asked == {page.viewer.endpoint}


@pytest.mark.parametrize(
    "path", ["/", "/overview", "/traces", "/threads", "/sessions", "/compare", "trace", "thread", "pair"]
)
def test_a_phone_needs_no_sideways_scrolling(page: Page, path: str) -> None:
    first, second = page.viewer.store.runs(RunFilter(session="s-3f81"))[:2]
    links = {
        "trace": f"/trace/{first.trace}",
        "thread": f"/thread?id={first.thread}",
        "pair": f"/compare?run={first.trace}.{first.span}&run={second.trace}.{second.span}",
    }
    with phone(page):
        page.open(links.get(path, path))
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 390


def test_an_empty_viewer_says_what_to_do(browser: Chrome, tmp_path: Path) -> None:
    with serve(port=0, db=tmp_path / "empty.db") as viewer:
        page = Page(browser, viewer)
        for path in ("/", "/traces", "/threads"):
            page.open(path)
            assert f'runspan.instrument(endpoint="{viewer.endpoint}")' in page.one(".empty").text
            assert viewer.endpoint in page.one(".empty").text
        page.open("/sessions")
        assert "session_id=" in page.one(".empty").text
