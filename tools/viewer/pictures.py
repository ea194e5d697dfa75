"""`make pictures`: the viewer's pages with real runs, at desktop and phone width, light and dark, into docs/images."""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOME))

from tests.support.browser import missing, start  # noqa: E402

import runspan  # noqa: E402
from runspan.cli import scene  # noqa: E402
from runspan.viewer import RunFilter, Store, Viewer, serve  # noqa: E402

IMAGES = HOME / "docs" / "images"
SIZES = {"desktop": (1360, 880, False), "phone": (390, 844, True)}
MAX_BYTES = 250_000


def main() -> int:
    if reason := missing():
        print(f"pictures: {reason}", file=sys.stderr)
        return 1
    warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated$")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serve(port=0, db=Path(folder) / "traces.db") as viewer:
        runspan.instrument(endpoint=viewer.endpoint, service_name="support-app")
        scene.play(print, [talk for talk in scene.TALKS if talk.user != "mei" or has_font("zh")])
        runspan.uninstrument()
        for size, (width, height, is_phone) in SIZES.items():
            for theme in ("light", "dark"):
                with tempfile.TemporaryDirectory() as profile:
                    driver = start(
                        Path(profile),
                        width,
                        height,
                        zone="Europe/Paris",
                        is_dark=theme == "dark",
                        is_phone=is_phone,
                    )
                    try:
                        take(driver, viewer, f"{size}-{theme}")
                    finally:
                        driver.quit()
    return 0


def has_font(language: str) -> bool:
    """Whether the machine can draw the script; boxes would say nothing."""
    found = subprocess.run(["fc-list", f":lang={language}"], capture_output=True, text=True, check=False)
    return bool(found.stdout)


def take(driver: object, viewer: Viewer, suffix: str) -> None:
    """Every page, as it is once the page's own script has said that it is live."""
    from selenium.webdriver.support.ui import WebDriverWait

    for name, path in pages(viewer.store).items():
        driver.get(viewer.endpoint + path)
        WebDriverWait(driver, 20).until(lambda d: d.find_elements("css selector", "#live:not([hidden])"))
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 88})
        data = base64.b64decode(shot["data"])
        target = IMAGES / f"{name}-{suffix}.webp"
        target.write_bytes(data)
        print(
            f"{target.relative_to(HOME)}  {len(data) / 1000:.0f} kB"
            + ("  TOO LARGE" if len(data) > MAX_BYTES else "")
        )


def pages(store: Store) -> dict[str, str]:
    """Name of the picture -> address."""
    (trip,) = store.runs(RunFilter(words="sea weekend Lyon"))
    by_rate = store.runs(RunFilter(words="1,480.24")) + store.runs(RunFilter(words="1,628.89"))
    first, second = by_rate[0], by_rate[-1]
    return {
        "runs": "/",
        "trace": f"/trace/{trip.trace}?span={trip.span}",
        "thread": f"/thread?id={trip.thread}",
        "compare": f"/compare?run={first.trace}.{first.span}&run={second.trace}.{second.span}",
    }


if __name__ == "__main__":
    sys.exit(main())
