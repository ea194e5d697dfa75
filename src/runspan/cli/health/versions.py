"""Are the installed packages in the ranges that runspan is tested with? The ranges are those of its own metadata."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from ..finding import Finding, bad, ok, warn

INSTALL = "pip install --upgrade runspan '{requirement}'"


def findings() -> Iterator[Finding]:
    known, wrong = [f"runspan {metadata.version('runspan')}", f"Python {platform.python_version()}"], []
    for requirement in map(Requirement, metadata.requires("runspan") or ()):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        finding = _one(requirement)
        if finding is not None:
            wrong.append(finding)
        else:
            known.append(f"{requirement.name} {metadata.version(requirement.name)}")
    yield ok("versions", ", ".join(known))
    yield from wrong


def _one(requirement: Requirement) -> Finding | None:
    cure = INSTALL.format(requirement=f"{requirement.name}{requirement.specifier}")
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return bad("versions", f"{requirement.name} is not installed", cure)
    if requirement.specifier.contains(version, prereleases=True):
        return None
    tested = f"{requirement.name} {version} is not in the tested range {requirement.specifier}"
    return warn("versions", tested, cure)
