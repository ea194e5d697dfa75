"""What `runspan run` is to start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..config import ConfigError, resolve
from ..exporting import file
from .finding import Finding
from .output import Problem


@dataclass(frozen=True, slots=True)
class App:
    """What `runspan run` was told. `target`: a file, a folder or zip with `__main__.py`, or a module's name."""

    target: str
    arguments: tuple[str, ...] = ()
    is_module: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # of instrument()
    examined: tuple[Finding, ...] | None = None  # by the doctor, who goes on when the app has ended
    as_json: bool = False  # that report

    def __post_init__(self) -> None:
        """Raises Problem for what is not there, and for options that are wrong whatever the variables say."""
        if not self.is_module and not os.path.exists(self.target):
            hint = "" if self.target.endswith(".py") else f" (a module? -m {self.target})"
            if os.path.basename(self.target).startswith("python"):
                hint = f": leave out {self.target}, and give what follows it"
            raise Problem(f"can't find {self.target}{hint}")
        try:
            config = resolve(self.options, {})
            if config.file is not None:
                file.check(config.file)
        except ConfigError as error:
            raise Problem(str(error)) from None
