"""The one place where our own failures end: logged once per site, counted, never raised into the app.

`guarded("site")` stands around work of ours, never around a call of the app. It swallows `Exception` only: `KeyboardInterrupt`,
`SystemExit` and `CancelledError` belong to the app. Log lines carry the class of the error and our own lines of code, not its
message: that may hold a text of the app's users.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cache
from types import TracebackType

logger = logging.getLogger("runspan")

Hook = Callable[[str, Exception], None]

_counts: Counter[str] = Counter()
_hooks: list[Hook] = []


def swallow(site: str, error: Exception) -> None:
    """Count `error`, log the first one of each site, and tell the hooks."""
    _counts[site] += 1
    if _counts[site] == 1:
        with contextlib.suppress(Exception):  # log handlers of the app may raise
            _log(site, error)
    for hook in _hooks:
        hook(site, error)


def _log(site: str, error: Exception) -> None:
    frames = "".join(traceback.format_tb(error.__traceback__)[-6:])
    logger.warning(
        "runspan: %s while it tried to %s; your app is not affected, this trace may be incomplete. "
        "Further ones at this place are only counted.\n%s",
        type(error).__name__,
        site,
        frames,
    )


class Guard:
    """Has no state, so all `with` statements of one site share it."""

    __slots__ = ("_site",)

    def __init__(self, site: str) -> None:
        self._site = site

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            swallow(self._site, error)
            return True
        return False


@cache
def guarded(site: str) -> Guard:
    """`with guarded("read a poll"): ...`"""
    return Guard(site)


def swallowed() -> dict[str, int]:
    """How many errors of ours were swallowed, by site."""
    return dict(_counts)


def add_hook(hook: Hook) -> None:
    """Have `hook(site, error)` called for each swallowed error (tests make them fatal)."""
    _hooks.append(hook)


def remove_hook(hook: Hook) -> None:
    _hooks.remove(hook)
