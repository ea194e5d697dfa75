"""runspan: one Run of an assistant, one correct OpenTelemetry trace.

    import runspan

    runspan.instrument()

From then on every Run made with the official `openai` client becomes one run span with one generation span below it.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .config import ConfigError as ConfigError
    from .setup import Handle as Handle
    from .setup import Stats as Stats
    from .setup import flush as flush
    from .setup import instrument as instrument
    from .setup import uninstrument as uninstrument

__all__ = ["ConfigError", "Handle", "Stats", "__version__", "flush", "instrument", "uninstrument"]

_HOMES = {
    "ConfigError": "config",
    "Handle": "setup",
    "Stats": "setup",
    "flush": "setup",
    "instrument": "setup",
    "uninstrument": "setup",
}


def __getattr__(name: str) -> Any:
    """Names are loaded when they are first used: the fake server and the viewer need none of OpenTelemetry."""
    if name not in _HOMES:
        raise AttributeError(f"module 'runspan' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
