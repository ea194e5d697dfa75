"""`make test-backends`: the real programs, used through real runspan, asked by their own APIs, as one table.

    python tools/try_backends.py                 all
    python tools/try_backends.py jaeger mlflow   some

Installing needs the network, and takes its time once: Phoenix and MLflow from PyPI, Jaeger and the Collector built with Go, each
pinned, kept in `.backends/`. Everything then runs in a network namespace of its own, because some servers listen on all interfaces
whatever they are told; that takes root, or a kernel that lets users make namespaces.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping

from backends.installs import JAEGER, LOGS, MLFLOW, OTELCOL, PHOENIX, CannotInstallError, Program, prometheus
from backends.report import Check, Skipped, draw
from backends.servers import NotStartedError

# Module of `tools/backends/` and what it needs; "prometheus" is Debian's.
SUBJECTS: dict[str, tuple[Program | str, ...]] = {
    "jaeger": (JAEGER,),
    "collector": (OTELCOL, JAEGER),
    "sampling": (OTELCOL,),
    "trouble": (OTELCOL,),
    "metrics": (OTELCOL, JAEGER, "prometheus"),
    "phoenix": (PHOENIX,),
    "mlflow": (MLFLOW,),
}
INSIDE = "RUNSPAN_BACKENDS_INSIDE"


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(SUBJECTS)
    if unknown:
        print(f"no such subject: {', '.join(sorted(unknown))}; there are: {', '.join(SUBJECTS)}")
        return 2
    subjects = [name for name in SUBJECTS if not wanted or name in wanted]
    if INSIDE not in os.environ:
        needs = dict.fromkeys(need for name in subjects for need in SUBJECTS[name])
        return _inside({_name(need): reason for need in needs if (reason := _lacking(need))})
    began = time.monotonic()
    lacking = json.loads(os.environ[INSIDE])
    rows = [row for name in subjects for row in _rows(name, lacking)]
    print(draw(rows))
    checked = [row for row in rows if isinstance(row, Check)]
    wrong = sum(not row.is_held for row in checked)
    skipped = len(rows) - len(checked)
    print(
        f"\n{len(checked)} checks, {wrong or 'none'} wrong, {skipped or 'none'} skipped, {time.monotonic() - began:.0f} s"
    )
    return 1 if wrong or not checked else 0


def _rows(name: str, lacking: Mapping[str, str]) -> Iterator[Check | Skipped]:
    for need in SUBJECTS[name]:
        if _name(need) in lacking:
            yield Skipped(name, "", f"{_name(need)}: {lacking[_name(need)]}")
            return
    print(f"trying: {name}", file=sys.stderr, flush=True)
    try:
        for check in importlib.import_module(f"backends.{name}").checks():
            LOGS.mkdir(exist_ok=True)
            with (LOGS / "checks.log").open(
                "a", encoding="utf-8"
            ) as log:  # what was found, should all this not end well
                print(check, "" if check.is_held else "WRONG", file=log)
            yield check
    except NotStartedError as error:
        print(error, file=sys.stderr)
        yield Check(name, "", "", "it starts", True, False)
    except Exception as error:
        traceback.print_exc()
        yield Check(name, "", "", "all of it could be asked", "", repr(error), False)


def _name(need: Program | str) -> str:
    return need if isinstance(need, str) else need.name


def _lacking(need: Program | str) -> str | None:
    """Why it is not there; None: it is, now."""
    try:
        if isinstance(need, str):
            prometheus()
        else:
            need.ensure()
    except CannotInstallError as error:
        return str(error)
    return None


def _inside(lacking: Mapping[str, str]) -> int:
    """The same command in a network namespace of its own, where only loopback is."""
    command = f'ip link set lo up && exec "{sys.executable}" "$@"'
    unshare = ["unshare", "--net", *(() if os.geteuid() == 0 else ("--map-root-user",))]
    env = {**os.environ, INSIDE: json.dumps(lacking)}
    return subprocess.run([*unshare, "sh", "-c", command, "sh", *sys.argv], env=env).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
