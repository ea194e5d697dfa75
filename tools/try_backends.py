"""`make test-backends`: the real programs, used through real runspan, asked by their own APIs, as one table.

    python tools/try_backends.py                 all
    python tools/try_backends.py jaeger mlflow   some

Installing needs the network, and takes its time once: Phoenix and MLflow from PyPI, Jaeger and the Collector built with Go,
Prometheus from Debian, all kept in `.backends/`. Everything then runs in a network namespace of its own (`backends/namespace.py`).
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Iterator, Mapping

from backends import namespace
from backends.installs import JAEGER, LOGS, MLFLOW, OTELCOL, PHOENIX, PROMETHEUS, CannotInstallError, Program
from backends.report import Check, Skipped, draw
from backends.servers import NotStartedError

# Module of `tools/backends/` and what it needs.
SUBJECTS: dict[str, tuple[Program, ...]] = {
    "jaeger": (JAEGER,),
    "collector": (OTELCOL, JAEGER),
    "sizes": (OTELCOL,),
    "sampling": (OTELCOL,),
    "trouble": (OTELCOL,),
    "metrics": (OTELCOL, JAEGER, PROMETHEUS),
    "phoenix": (PHOENIX,),
    "mlflow": (MLFLOW,),
}


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(SUBJECTS)
    if unknown:
        print(f"no such subject: {', '.join(sorted(unknown))}; there are: {', '.join(SUBJECTS)}")
        return 2
    subjects = [name for name in SUBJECTS if not wanted or name in wanted]
    if not namespace.is_inside():
        needs = dict.fromkeys(need for name in subjects for need in SUBJECTS[name])
        return namespace.again_inside({n.name: reason for n in needs if (reason := _lacking(n))})
    began = time.monotonic()
    lacking = namespace.entered()
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
        if need.name in lacking:
            yield Skipped(name, need.version, f"{need.name}: {lacking[need.name]}")
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


def _lacking(need: Program) -> str | None:
    """Why it is not there; None: it is, now."""
    try:
        need.ensure()
    except CannotInstallError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
