"""Are the installed packages in the ranges that runspan is tested with? The ranges are those of its own metadata."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib import metadata

from ..finding import Finding, bad, ok, warn

INSTALL = "pip install --upgrade runspan '{requirement}'"
REQUIREMENT = re.compile(r"([\w.-]+)\s*\(?([<>=!~\d.,\s]*)\)?")  # of our own metadata: ranges of >= and <


def findings() -> Iterator[Finding]:
    known, wrong = [f"runspan {metadata.version('runspan')}", f"Python {platform.python_version()}"], []
    for requirement in metadata.requires("runspan") or ():
        if ";" in requirement:  # an extra's
            continue
        name, finding = checked(requirement)
        if finding is not None:
            wrong.append(finding)
        else:
            known.append(f"{name} {metadata.version(name)}")
    yield ok("versions", ", ".join(known))
    yield from wrong


def checked(requirement: str) -> tuple[str, Finding | None]:
    """The package's name, and what is wrong with its version."""
    found = REQUIREMENT.fullmatch(requirement.strip())
    if found is None:
        return requirement, bad("versions", f"can't read the requirement {requirement!r}")
    name, limits = found[1], found[2].replace(" ", "")
    cure = INSTALL.format(requirement=f"{name}{limits}")
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return name, bad("versions", f"{name} is not installed", cure)
    if all(_is_within(version, limit) for limit in limits.split(",") if limit):
        return name, None
    return name, warn("versions", f"{name} {version} is not in the tested range {limits}", cure)


def _is_within(version: str, limit: str) -> bool:
    """`limit`: such as `>=1.30.5` or `<4`."""
    at, bound = _release(version), _release(limit.lstrip("<>="))
    return at >= bound if limit.startswith(">=") else at < bound


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, without zeros at the end: what stands behind them (`rc1`, `.dev0`) does not count here."""
    release = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
