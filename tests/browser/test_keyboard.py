"""Every page by the keyboard alone: each control is reached and seen, nothing holds the focus, and keys lead there and back."""

from __future__ import annotations

from typing import Any

import pytest

from .test_accessibility import PATHS, address
from .test_viewer import Page, page, phone, trip, viewer

__all__ = ["page", "viewer"]  # fixtures

TAB, SHIFT, ENTER, ESCAPE, DOWN, UP, SPACE = "\ue004", "\ue008", "\ue007", "\ue00c", "\ue015", "\ue013", " "

# What a reader can do something with. Of the waterfall's rows one has the focus; its arrows reach the others.
CONTROLS = """
    const all = document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]');
    return [...all].filter((e) => e.checkVisibility({ checkVisibilityCSS: true }) && e.tabIndex >= 0 && !e.disabled
        && e.getClientRects().length).map((e) => e.dataset.at = String([...all].indexOf(e)));
"""
# Where the focus is, and whether one sees it: on the element itself, or on the label around a hidden input.
FOCUS = """
    const e = document.activeElement;
    if (!e || e === document.body) return null;
    const marked = [e, e.closest('label')].filter(Boolean).some((one) => {
        const style = getComputedStyle(one);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    });
    const box = e.getBoundingClientRect();
    const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    const isSeen = marked && inView && getComputedStyle(e).opacity !== '0';
    return {at: e.dataset.at ?? '', what: e.outerHTML.slice(0, 120), isSeen};
"""


def focus(page: Page) -> dict[str, Any] | None:
    found: dict[str, Any] | None = page.driver.execute_script(FOCUS)
    return found


def walk(page: Page, *, is_back: bool = False) -> list[dict[str, Any]]:
    """The focus after each press, until it leaves the page or begins anew."""
    from selenium.webdriver import ActionChains

    steps: list[dict[str, Any]] = []
    for _ in range(400):
        if is_back:
            ActionChains(page.driver).key_down(SHIFT).send_keys(TAB).key_up(SHIFT).perform()
        else:
            page.press(TAB)
        step = focus(page)
        if step is None or (steps and step["at"] == steps[0]["at"]):
            return steps
        steps.append(step)
    raise AssertionError(f"the focus does not leave: {[step['what'] for step in steps[-3:]]}")


@pytest.mark.parametrize("path", [*PATHS, "/docs"])
def test_tab_reaches_every_control_and_shows_where_it_is(page: Page, path: str) -> None:
    page.open(address(page, path))
    controls = page.driver.execute_script(CONTROLS)
    steps = walk(page)
    assert "skip" in steps[0]["what"]
    assert [step["what"] for step in steps if not step["isSeen"]] == []
    assert set(controls) <= {step["at"] for step in steps}
    back = walk(page, is_back=True)
    assert [step["at"] for step in back] == [step["at"] for step in steps[::-1]]


@pytest.mark.parametrize("path", ["/", "trace"])
def test_the_skip_link_leads_past_the_head(page: Page, path: str) -> None:
    page.open(address(page, path))
    page.press(TAB, ENTER)
    page.until(lambda: page.path.endswith("#main"))
    page.press(TAB)
    assert page.driver.execute_script(
        "return document.getElementById('main').contains(document.activeElement)"
    )


@pytest.mark.parametrize("path", ["/", "/traces", "/threads", "/sessions"])
def test_arrows_choose_a_row_and_enter_opens_it(page: Page, path: str) -> None:
    page.open(path)
    page.press(DOWN, "j", "k", DOWN)
    row = page.driver.execute_script(
        "return [...document.querySelectorAll('[data-row]')].indexOf(document.activeElement.closest('[data-row]'))"
    )
    assert row == 1
    assert (focus(page) or {})["isSeen"]
    title = page.driver.switch_to.active_element.text
    page.press(ENTER)
    page.until(lambda: page.path != path and page.has("h1"))
    assert page.one("h1").text == title


def test_two_runs_are_compared_without_a_pointer(page: Page) -> None:
    page.open("/?session=s-3f81")
    page.press(DOWN, "x", DOWN, "x", "c")
    page.until(lambda: page.has(".sides"))


def test_the_focus_stays_where_it_is_when_something_new_arrives(page: Page) -> None:
    from ..viewer.runs import a_run
    from ..viewer.wire import export, post

    page.open("/?user=ada")
    page.press(DOWN, DOWN)
    name = page.driver.switch_to.active_element.text
    assert post(page.viewer.port, export(*a_run(970, "Newer", more={"user.id": "ada"}))).status == 200
    page.until(lambda: any("Newer" in text for text in page.texts(".open")))
    assert page.driver.switch_to.active_element.text == name
    page.viewer.store.delete([f"{970:032x}"])


def test_the_waterfall_is_walked_and_its_details_lead_back(page: Page) -> None:
    trip(page)
    chosen = lambda: page.one('#tree [aria-selected="true"] bdi').text  # noqa: E731
    page.driver.execute_script("document.querySelector('#tree [aria-selected]').focus()")
    page.press(DOWN, DOWN)
    assert chosen() == "execute_tool get_weather"
    page.until(lambda: "get_weather" in page.one("#panel h2").text)
    page.press(UP, ENTER)
    assert page.driver.switch_to.active_element.get_attribute("id") == "panel"
    page.press(TAB, ESCAPE)
    assert page.driver.switch_to.active_element.get_attribute("role") == "row"
    assert chosen() == "chat gpt-4.1"


def test_the_list_of_keys_opens_holds_the_focus_and_gives_it_back(page: Page) -> None:
    page.open("/")
    page.one("#keys").send_keys(ENTER)
    page.until(lambda: page.one("#help").is_displayed())
    inside = "return document.getElementById('help').contains(document.activeElement)"
    page.press(TAB)
    assert page.driver.execute_script(f"return document.activeElement === document.body || ({inside[7:]})")
    page.press(ESCAPE)
    page.until(lambda: not page.one("#help").is_displayed())
    assert page.driver.switch_to.active_element.get_attribute("id") == "keys"


def test_escape_leaves_the_search(page: Page) -> None:
    page.open("/")
    page.press("/", "train", ESCAPE)
    assert focus(page) is None
    page.press("g", "t")
    page.until(lambda: page.path == "/traces")


def test_a_sheet_on_a_phone_closes_with_escape(page: Page) -> None:
    with phone(page):
        trip(page)
        page.one("#tree [role=row] a").click()
        page.until(lambda: page.has("#panel.sheet"))
        page.press(ESCAPE)
        assert not page.has("#panel.sheet")
        assert page.driver.switch_to.active_element.get_attribute("role") == "row"


def test_the_theme_says_which_one_it_is(page: Page) -> None:
    page.open("/")
    button = page.one("#theme")
    seen = [button.text]
    for _ in range(3):
        button.send_keys(SPACE)
        seen.append(button.text)
    assert seen == ["Theme: system", "Theme: light", "Theme: dark", "Theme: system"]
