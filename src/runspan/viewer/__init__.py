"""OTLP in, pictures out: trees in the terminal, and the local viewer of `runspan ui`.

    with runspan.viewer.serve(port=4318) as viewer:  # needs the extra runspan[ui]
        print(viewer.url)

    with runspan.viewer.Store(path) as store:
        store.runs(RunFilter(status="failed"))

Imports nothing of the rest of runspan. What the viewer needs is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runspan.viewer.ports import GRPC_PORT, HTTP_PORT, PortBusyError
    from runspan.viewer.store import Bounds, Run, RunFilter, Stat, Store, StoreFullError, TraceRow
    from runspan.viewer.store.files import load
    from runspan.viewer.store.place import default_db
    from runspan.viewer.store.schema import NotOurFileError
    from runspan.viewer.web.intake import Limits
    from runspan.viewer.web.serving import Viewer, serve

_HOMES = {
    "runspan.viewer.store": ("Bounds", "Run", "RunFilter", "Stat", "Store", "StoreFullError", "TraceRow"),
    "runspan.viewer.store.files": ("load",),
    "runspan.viewer.store.schema": ("NotOurFileError",),
    "runspan.viewer.store.place": ("default_db",),
    "runspan.viewer.ports": ("GRPC_PORT", "HTTP_PORT", "PortBusyError"),
    "runspan.viewer.web.intake": ("Limits",),
    "runspan.viewer.web.serving": ("Viewer", "serve"),
}
INSTALL = "pip install 'runspan[ui]' (in a clone: pip install '.[ui]')"
_OF_THE_EXTRA = frozenset({"jinja2", "markdown_it", "markupsafe", "nh3", "starlette", "uvicorn"})
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "GRPC_PORT",
    "HTTP_PORT",
    "Bounds",
    "Limits",
    "NotOurFileError",
    "PortBusyError",
    "Run",
    "RunFilter",
    "Stat",
    "Store",
    "StoreFullError",
    "TraceRow",
    "Viewer",
    "default_db",
    "load",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_THE_EXTRA:
            raise
        cure = f"the viewer needs {error.name}: {INSTALL}"
        raise ModuleNotFoundError(cure, name=error.name) from error
