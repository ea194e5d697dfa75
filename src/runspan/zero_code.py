"""Entry point `openai_assistants` of `opentelemetry_instrumentor`, for `opentelemetry-instrument python app.py`."""

from __future__ import annotations

import atexit
from typing import Any

from .config import ConfigError
from .exporting import launched
from .guard import logger
from .setup import start_from_outside, uninstrument


class ZeroCode:
    """What the launcher calls."""

    def instrument(self, **_: Any) -> None:
        """A wrong setting leaves the app untraced, not unstarted: the launcher would give up on all others after us."""
        try:
            handle = start_from_outside({})
        except ConfigError as error:
            logger.error("runspan: %s Nothing is traced.", error)
            return
        if handle.config.enabled:
            handle.end_with_launcher()

    def uninstrument(self, **_: Any) -> None:
        atexit.unregister(launched.end_refused)
        uninstrument()
