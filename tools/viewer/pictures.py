"""`make pictures`: the viewer's pages with real runs, at desktop and phone width, light and dark, into docs/images."""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import warnings
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

HOME = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOME))

from tests.support.browser import missing, start  # noqa: E402

import runspan  # noqa: E402
from runspan.cli import scene  # noqa: E402
from runspan.viewer import RunFilter, Store, Viewer, serve  # noqa: E402

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

IMAGES = HOME / "docs" / "images"
SIZES = {"desktop": (1400, 900, False), "phone": (390, 844, True)}
THEMES = ("light", "dark")
MAX_BYTES = 100_000
QUALITY = 70


def main() -> int:
    if reason := missing():
        print(f"pictures: {reason}", file=sys.stderr)
        return 1
    warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated$")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as store, serve(port=0, db=Path(store) / "traces.db") as viewer:
        runspan.instrument(endpoint=viewer.endpoint, service_name="support-app", prices=scene.PRICES)
        scene.play(print, [talk for talk in scene.TALKS if talk.user != "mei" or has_font("zh")])
        runspan.uninstrument()
        for (size, (width, height, is_phone)), theme in product(SIZES.items(), THEMES):
            how: Any = {"zone": "Europe/Paris", "is_dark": theme == "dark", "is_phone": is_phone}
            with tempfile.TemporaryDirectory() as profile:
                driver = start(Path(profile), width, height, **how)
                try:
                    take(driver, viewer, f"{size}-{theme}")
                finally:
                    driver.quit()
    return 0


def has_font(language: str) -> bool:
    """Whether the machine can draw the script; boxes would say nothing."""
    return bool(subprocess.run(["fc-list", f":lang={language}"], capture_output=True, check=False).stdout)


def take(driver: Chrome, viewer: Viewer, look: str) -> None:
    """The pages that the documentation shows so, as they are once the page's own script has said that it is live."""
    from selenium.webdriver.support.ui import WebDriverWait

    for name, (path, looks) in pages(viewer.store).items():
        if look not in looks.split():
            continue
        driver.get(viewer.endpoint + path)
        WebDriverWait(driver, 20).until(lambda d: d.find_elements("css selector", "#live:not([hidden])"))
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
        data = base64.b64decode(shot["data"])
        target = IMAGES / f"{name}-{look}.webp"
        target.write_bytes(data)
        print(f"{target.name}  {len(data) / 1000:.0f} kB" + ("  TOO LARGE" if len(data) > MAX_BYTES else ""))


def pages(store: Store) -> dict[str, tuple[str, str]]:
    """Name of the picture -> (address, the sizes and themes in which it is shown)."""
    (trip,) = store.runs(RunFilter(words="sea weekend Lyon"))
    by_rate = store.runs(RunFilter(words="1,480.24")) + store.runs(RunFilter(words="1,628.89"))
    first, second = by_rate[0], by_rate[-1]
    (failed,) = store.runs(RunFilter(status="failed"))
    compared = f"/compare?run={first.trace}.{first.span}&run={second.trace}.{second.span}"
    return {
        "overview": ("/overview", "desktop-light"),
        "runs": ("/", "desktop-light phone-light"),
        "failed": (f"/trace/{failed.trace}?span={failed.span}", "desktop-light"),
        "trace": (f"/trace/{trip.trace}?span={trip.span}", "desktop-light desktop-dark phone-dark"),
        "thread": (f"/thread?id={trip.thread}", "desktop-light phone-light"),
        "compare": (compared, "desktop-light phone-dark"),
    }


if __name__ == "__main__":
    sys.exit(main())
