"""The Pythons of this machine: on the path, of pyenv, and one out of Debian's next release in a folder of its own.

Each `Interpreter` runs commands in the checkout, with recordings beside it; one that is not to be had says why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processes import ROOT

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SID = ROOT / ".venvs" / "sid"
PACKAGES = "python3,python3-venv,make,ca-certificates"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
# What a command in SID sees of the machine; the mounts are gone with the process that asked for them.
MOUNTS = """
set -e
mount -t proc proc "$SID/proc"
for folder in /dev /tmp "$CHECKOUT" $BESIDE; do mkdir -p "$SID$folder"; mount --rbind "$folder" "$SID$folder"; done
exec chroot "$SID" sh -c 'cd "$CHECKOUT" && exec "$@"' sh "$@"
"""


@dataclass(frozen=True)
class Interpreter:
    version: str  # such as "3.14"
    python: str = ""  # empty: there is none
    missing: str = ""  # then why
    is_in_sid: bool = False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the checkout, where `python` is to be found."""
        if not self.is_in_sid:
            return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        beside = ROOT.parent / "shared"
        env = {
            **os.environ,
            "SID": str(SID),
            "CHECKOUT": str(ROOT),
            "BESIDE": str(beside) if beside.is_dir() else "",
        }
        inside = ("unshare", "--mount", "sh", "-c", MOUNTS, "sh", *command)
        return subprocess.run(inside, env=env, capture_output=True, text=True, check=False)


def interpreters(wanted: list[str]) -> Iterator[Interpreter]:
    """Of each version that is asked for, else of all."""
    for version in wanted or VERSIONS:
        python = on_path(version) or of_pyenv(version)
        yield Interpreter(version, python) if python else out_of_sid(version)


def on_path(version: str) -> str:
    python = shutil.which(f"python{version}") or ""
    return python if _version_of(python) == version else ""  # a shim of pyenv may be there, and lead nowhere


def of_pyenv(version: str) -> str:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
    return str(found[-1]) if found else ""


def out_of_sid(version: str) -> Interpreter:
    """Debian's sid, laid into .venvs/sid when it is not there, if its Python is the one that is looked for."""
    if why := _why_no_sid() or _laid():
        return Interpreter(version, missing=why)
    python = SID / f"usr/bin/python{version}"
    if not python.exists():
        return Interpreter(
            version, missing=f"neither on the path nor of pyenv, and Debian's sid has no python{version}"
        )
    return Interpreter(version, f"/usr/bin/python{version}", is_in_sid=True)


def _why_no_sid() -> str:
    if os.name != "posix" or os.geteuid() != 0:
        return "neither on the path nor of pyenv, and Debian's sid needs root"
    if tools := [tool for tool in ("debootstrap", "unshare") if shutil.which(tool) is None]:
        return f"neither on the path nor of pyenv, and {tools[0]} is not installed (Debian: apt-get install debootstrap)"
    return ""


def _laid() -> str:
    """Why it could not be; empty when it is there."""
    ready = SID / ".ready"
    if ready.exists():
        return ""
    shutil.rmtree(SID, ignore_errors=True)
    print("Debian's sid into .venvs/sid, once; about a minute.", flush=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "sid", str(SID)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"debootstrap: {' '.join(done.stdout.strip().splitlines()[-1:])}"
    shutil.copy(f"/{CERTIFICATES}", SID / CERTIFICATES)  # of the machine, which may have one of its own
    shutil.copy("/etc/resolv.conf", SID / "etc/resolv.conf")
    ready.touch()
    return ""


def _version_of(python: str) -> str:
    if not python:
        return ""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=False).stdout.strip()
