"""What an import did."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_FAULTS = 1_000


class BusyError(Exception):
    """Another import works on the same file."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was left out: `file` and `line` where it stands (0: the file as a whole), and the reason.

    `is_remark`: the archive itself says that it lacks something; nothing was left out.
    """

    file: str
    line: int
    reason: str
    is_remark: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


@dataclass(slots=True)
class Report:
    """`found`: objects by kind. `runs`: those that were delivered, or would be (dry run), with failed calls; `spans`: theirs.

    `skipped`: runs that an import before this one delivered, or that the filters leave out. `faults`: the first 1,000.
    """

    found: dict[str, int] = field(default_factory=dict)
    runs: int = 0
    spans: int = 0
    skipped: int = 0
    rejected: int = 0  # spans that the receiver refused
    left_out: int = 0  # objects and files
    faults: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        self.left_out += not fault.is_remark
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)
