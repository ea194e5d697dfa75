"""Every page, light and dark, desktop and phone, checked by axe-core: `npm install --prefix tests/browser` brings it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runspan.viewer import RunFilter

from .test_viewer import Page, page, phone, viewer

__all__ = ["page", "viewer"]  # fixtures

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PATHS = ("/", "/?q=train&errors=", "/traces", "/threads", "/sessions", "/overview", "/compare", "trace", "failed", "thread", "pair",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not AXE.exists(), reason="axe-core is not installed (npm install --prefix tests/browser)"
)


def address(page: Page, path: str) -> str:
    first, second = page.viewer.store.runs(RunFilter(session="s-3f81"))[:2]
    (failed,) = page.viewer.store.runs(RunFilter(status="failed"))
    return {
        "trace": f"/trace/{first.trace}?span={first.span}",
        "failed": f"/trace/{failed.trace}",
        "thread": f"/thread?id={first.thread}",
        "pair": f"/compare?run={first.trace}.{first.span}&run={second.trace}.{second.span}",
    }.get(path, path)


def violations(page: Page) -> list[str]:
    page.driver.execute_script(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.driver.execute_async_script(
        "const done = arguments[0];"
        " axe.run(document, {resultTypes: ['violations']}).then(done, (e) => done({violations: [{id: String(e), nodes: []}]}))"
    )
    return [
        f"{one['id']}: {node['html'][:160]} {node['any'][0]['message'] if node.get('any') else ''}"
        for one in found["violations"]
        for node in one["nodes"] or [{"html": ""}]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(page: Page, path: str, theme: str) -> None:
    scheme = {"name": "prefers-color-scheme", "value": theme}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    try:
        page.open(address(page, path))
        page.driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
        assert violations(page) == []
    finally:
        page.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{**scheme, "value": "light"}]}
        )


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_on_a_phone(page: Page, path: str) -> None:
    with phone(page):
        page.open(address(page, path))
        assert violations(page) == []
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 390
