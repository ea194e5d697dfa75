"""What `runspan run` is to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .finding import Finding


@dataclass(frozen=True, slots=True)
class App:
    """What `runspan run` was told. `target`: a file, a folder or zip with `__main__.py`, or a module's name."""

    target: str
    arguments: tuple[str, ...] = ()
    is_module: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # of instrument()
    examined: tuple[Finding, ...] | None = None  # by the doctor, who goes on when the app has ended
    as_json: bool = False  # that report
