"""Where the recordings are, and the two scripts that came with them."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from types import ModuleType

CHECKOUT = Path(__file__).resolve().parents[3]
RECORDINGS = Path(os.environ.get("RUNSPAN_RECORDINGS") or CHECKOUT.parent / "shared" / "recordings")
TOOLS = Path(os.environ.get("RUNSPAN_TOOLS") or CHECKOUT.parent / "shared" / "tools")


def recordings() -> list[Path]:
    return sorted(RECORDINGS.glob("*.jsonl"))


def why_absent() -> str | None:
    """The reason to skip, or None when there is something to play."""
    if not recordings():
        return f"no recordings in {RECORDINGS} (RUNSPAN_RECORDINGS names another folder)"
    if not (TOOLS / "play_scenario.py").is_file():
        return f"no play_scenario.py in {TOOLS} (RUNSPAN_TOOLS names another folder)"
    return None


@cache
def tool(name: str) -> ModuleType:
    """A script of the tools folder as a module, loaded from where it stands."""
    spec = importlib.util.spec_from_file_location(f"recording_tools_{name}", TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
