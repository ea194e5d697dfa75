"""Where the store is when nobody names a file: the user's data folder, by the custom of the system."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# platform -> (variable that names the folder, where it is otherwise, below the home folder)
FOLDERS: Mapping[str, tuple[str, str]] = {
    "darwin": ("XDG_DATA_HOME", "Library/Application Support"),
    "win32": ("LOCALAPPDATA", "AppData/Local"),
}
XDG = ("XDG_DATA_HOME", ".local/share")  # specifications.freedesktop.org/basedir-spec


def default_db() -> Path:
    """The store in the user's data folder. Makes nothing."""
    variable, below = FOLDERS.get(sys.platform, XDG)
    named = os.environ.get(variable, "").strip()
    folder = Path(named) if os.path.isabs(named) else Path.home() / below
    return folder / "runspan" / "traces.db"
