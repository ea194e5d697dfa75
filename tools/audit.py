"""`make audit`: does what is installed fit together, under which licences, and with which known vulnerabilities?

    .venvs/audit/bin/python tools/audit.py PYTHON

Runs in an environment of its own (pip-audit, pip-licenses) and looks at that of PYTHON. Known vulnerabilities are asked of PyPI.
Where it is not to be reached, pip-audit says of each package that it "could not be audited", of the whole that nothing is
known, and exits with 0. So what was really looked up is counted here, and a check that did not take place says SKIPPED.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OK, BAD, SKIPPED = "ok", "FAILED", "SKIPPED"
BIN = Path(sys.executable).parent

# Parts of their names. All may be used in a closed program; none asks for more than to be named.
LICENCES = ("MIT", "BSD", "Apache", "ISC", "PSF", "Python Software Foundation", "MPL", "Mozilla Public")


@dataclass(frozen=True)
class Finding:
    what: str
    state: str
    told: str


def consistency(python: str) -> Finding:
    done = _run(python, "-m", "pip", "--disable-pip-version-check", "check")
    return Finding("requirements", BAD if done.returncode else OK, done.stdout.strip())


def licences(python: str) -> Finding:
    allowed = ["--partial-match", "--allow-only", ";".join(LICENCES)]
    done = _run(f"{BIN}/pip-licenses", "--python", python, "--from=mixed", "--format=json", *allowed)
    if done.returncode:
        return Finding("licences", BAD, (done.stdout + done.stderr).strip())
    return Finding("licences", OK, f"of {len(json.loads(done.stdout))} packages: {', '.join(LICENCES)}")


def vulnerabilities(python: str) -> Finding:
    packages = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    options = ("--format=json", "--progress-spinner=off", "--timeout=10", "--skip-editable")
    done = _run(f"{BIN}/pip-audit", "--path", packages, *options)
    try:
        return verdict(json.loads(done.stdout)["dependencies"])
    except ValueError:
        said = " ".join(done.stderr.strip().splitlines()[-1:])
        return Finding("known vulnerabilities", SKIPPED, f"pip-audit gave up: {said}")


def verdict(packages: list[dict[str, Any]]) -> Finding:
    """What pip-audit's report is worth."""
    what = "known vulnerabilities"
    looked_up = [one for one in packages if "vulns" in one]
    found = [
        f"{one['name']} {one['version']}: {vuln['id']} (mended in {', '.join(vuln['fix_versions']) or 'none'})"
        for one in looked_up
        for vuln in one["vulns"]
    ]
    if found:
        return Finding(what, BAD, "\n".join(found))
    if not looked_up:
        said = f"none of {len(packages)} packages could be looked up: is PyPI to be reached?"
        return Finding(what, SKIPPED, said)
    left = sorted(one["name"] for one in packages if one not in looked_up)
    more = f"; not looked up: {', '.join(left)}" if left else ""
    return Finding(what, OK, f"none in {len(looked_up)} packages{more}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> int:
    findings = [check(sys.argv[1]) for check in (consistency, licences, vulnerabilities)]
    print(*(f"{one.state:8}{one.what}: {one.told}" for one in findings), sep="\n")
    return 1 if BAD in {one.state for one in findings} else 0


if __name__ == "__main__":
    sys.exit(main())
