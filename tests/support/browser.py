"""A headless Chromium driven by selenium, for the browser's tests and the documentation's pictures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--lang=en-US",
)  # fmt: skip


def missing() -> str:
    """What this machine lacks; empty when nothing."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        return "no chromium with its chromedriver here"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (pip install 'runspan[browser]')"
    return ""


def start(
    profile: Path, width: int, height: int, *, zone: str, is_dark: bool = False, is_phone: bool = False
) -> Chrome:
    """A browser with a profile of its own, in this time zone, whose pages have this size."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(shutil.which("chromedriver"), env={**os.environ, "TZ": zone})
    driver = webdriver.Chrome(options=options, service=service)
    metrics = {
        "width": width,
        "height": height,
        "deviceScaleFactor": 2 if is_phone else 1,
        "mobile": is_phone,
    }
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    return driver
