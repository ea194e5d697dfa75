"""Is the openai client one that we patch, and who else has its hands on it?"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from importlib.metadata import entry_points

from opentelemetry.sdk.trace import TracerProvider

from ... import _compat
from ...clients import other_instrumentations
from ...clients.openai.install import TARGETS
from ...config import resolve
from ...setup import start_with
from ..finding import Finding, bad, note, ok, warn

BASE = _compat.BASE_CLIENT  # the two that every call goes through


def findings() -> Iterator[Finding]:
    """Patches this process's client, and takes the patches off again."""
    try:
        import openai
    except ImportError as error:
        yield bad("client", f"openai can't be imported: {error}", "pip install 'openai>=1.30.5,<4'")
        return
    yield from _loaded_by_the_launcher()
    before = [f"{owner.__name__}.request" for owner, name in _requests() if _is_wrapped(owner, name)]
    # A provider of our own that exports nothing: where traces go is looked at later.
    provider = TracerProvider(shutdown_on_exit=False)
    handle = start_with(resolve({"tracer_provider": provider}, os.environ))
    try:
        missing = [f"{owner.__name__}.{name}" for owner, name in _requests() if not _is_wrapped(owner, name)]
    finally:
        handle.uninstrument()
    if missing:
        yield bad("client", f"{', '.join(missing)} of openai {openai.__version__} can't be patched")
    else:
        yield ok("client", f"openai {openai.__version__} is patched by instrument()")
    if before:
        yield warn("client", f"{', '.join(before)} was wrapped by somebody else before runspan")


def _requests() -> list[tuple[type, str]]:
    module = importlib.import_module(BASE)
    return [(getattr(module, owner), name) for owner, name, _ in TARGETS[BASE] if hasattr(module, owner)]


def _is_wrapped(owner: type, name: str) -> bool:
    return hasattr(vars(owner).get(name), "__wrapped__")


def _loaded_by_the_launcher() -> Iterator[Finding]:
    """Other instrumentations of openai that are installed; `opentelemetry-instrument` would start them all."""
    for point in entry_points(group="opentelemetry_instrumentor"):
        known = next(
            (one for prefix, one in other_instrumentations.KNOWN.items() if point.value.startswith(prefix)),
            None,
        )
        if known is None:
            continue
        if known.traces_runs:
            text = f"{known.name} is installed and traces Assistants calls, too"
            yield note(
                "client",
                text,
                "RUNSPAN_NEIGHBOURS=true makes Assistants calls bypass it. See docs/other-tracers.md.",
            )
        else:
            yield note(
                "client", f"{known.name} is installed; it has no spans of runs, so nothing is counted twice"
            )
