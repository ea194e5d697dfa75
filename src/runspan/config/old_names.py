"""Options of `instrument()` under their names of 0.1.0. They work, and one INFO line says what to write today."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from typing import Any

from .errors import ConfigError

logger = logging.getLogger("runspan")

# Flags that were words: today's option -> {the word: its value}. The words also work in the option's variable.
SPELLINGS: Mapping[str, Mapping[Any, bool]] = {
    "background_fetch": {"auto": True, "never": False},
    "propagate_in_metadata": {"metadata": True, "never": False},
    "bypass_other_instrumentations": {"past": True, "leave": False},
}
RENAMED: Mapping[str, str] = {
    "fetch": "background_fetch",
    "propagate": "propagate_in_metadata",
    "neighbours": "bypass_other_instrumentations",
    "other_instrumentations": "bypass_other_instrumentations",
    "linger_s": "settle_s",
}
ALWAYS_ON = "thread pools always carry runspan's own context, and no other"
NO_JOIN = (
    "join={!r}: a run that another process created is no longer followed by its id alone. Call runspan.instrument() where the run "
    "is created, and pass it on by runspan.handoff() and runspan.adopt(), or with instrument(propagate_in_metadata=True) there."
)

Given = dict[str, tuple[str, Any]]  # today's name -> (the name that the user wrote, the value)


def translated(options: Mapping[str, Any], settings: frozenset[str], limits: frozenset[str]) -> Given:
    """The options under today's names. Raises ConfigError for one that is unknown or removed."""
    given: Given = {}
    advice: list[str] = []
    for name, value in options.items():
        now = RENAMED.get(name, name)
        if name == "join":
            _check_join(value)
        elif name == "threads":
            advice.append(f"threads= has no effect: {ALWAYS_ON}")
        elif name == "cost":
            if value not in (True, False):
                raise ConfigError(f"cost={value!r}: use True or False, or today's prices=False for no costs.")
            advice.append("prices=False, in place of cost=False, switches costs off")
        elif now in limits:
            advice.append(f"write limits=runspan.Limits({now}=...) for {name}=")
            given[now] = name, value
        elif now != name:
            advice.append(f"write {now}=... for {name}=")
            given[now] = name, _flag(name, now, value)
        elif name in settings:
            advice += _ADVICE.get(name, ())
            given[name] = name, value
        else:
            raise ConfigError(_unknown(name, settings, limits))
    if options.get("cost") is False:
        given["prices"] = "cost", False
    if advice:
        logger.info("runspan: instrument() has new names for its options: %s.", "; ".join(advice))
    return given


_ADVICE = {
    "content_events": ('write capture_content="events" or "spans_and_events" for content_events=',),
    "console": ("set RUNSPAN_CONSOLE=true for console=",),
}


def _flag(name: str, now: str, value: Any) -> bool:
    words = SPELLINGS[now]
    if not isinstance(value, str) or value not in words:
        raise ConfigError(
            f"{name}={value!r}: use one of {', '.join(map(repr, words))}, or today's {now}=True or False."
        )
    return words[value]


def _check_join(value: Any) -> None:
    if value != "never":  # which is how it is now
        raise ConfigError(NO_JOIN.format(value))


def _unknown(name: str, settings: frozenset[str], limits: frozenset[str]) -> str:
    close = difflib.get_close_matches(name.lower(), sorted(settings | RENAMED.keys()), n=1)
    if not close:
        known = ", ".join(sorted(settings - limits - _ADVICE.keys()))
        return f"runspan.instrument() has no option {name!r}. It knows: {known}."
    now = RENAMED.get(close[0], close[0])
    cure = f"limits=runspan.Limits({now}=...)" if now in limits else repr(now)
    return f"runspan.instrument() has no option {name!r}. Did you mean {cure}?"
