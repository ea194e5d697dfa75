"""The doctor's checks, in the order in which a trace goes: versions, settings, client, address, delivery."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ...config import Config, ConfigError, resolve
from ..finding import Finding, State, bad, ok, warn
from . import address, client, delivery, variables, versions


def examine(*, of_app: bool, sends: bool, timeout_s: float) -> Iterator[Finding]:
    """Each finding as soon as it is known. What can't be tried any more is left out."""
    environ = dict(os.environ)
    yield from versions.findings()
    yield from variables.findings(environ)
    config = None
    for finding, config in _settings(environ):  # noqa: B007 - the last one counts
        yield finding
    if config is None or not config.enabled:
        return
    if not of_app:  # whose own client is looked at when it has ended
        yield from client.findings()
    is_there = True
    for finding in address.findings(config):
        yield finding
        is_there = is_there and finding.state is not State.BAD
    if sends and is_there:
        yield from delivery.findings(timeout_s)


def _settings(environ: dict[str, str]) -> Iterator[tuple[Finding, Config | None]]:
    try:
        config = resolve({}, environ)
    except ConfigError as error:
        yield (
            bad(
                "settings",
                str(error),
                "Until then instrument() raises this, and `runspan run` runs the app untraced.",
            ),
            None,
        )
        return
    if not config.enabled:
        name = (
            "OTEL_SDK_DISABLED"
            if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
            else "RUNSPAN_ENABLED"
        )
        yield bad("settings", f"runspan is switched off by {name}.", f"Unset {name}."), config
        return
    if not config.capture_content:
        yield (
            warn("settings", "content is off: no messages, arguments and results will be in the traces."),
            config,
        )
    yield ok("settings", "the settings are valid"), config
