"""Coverage-guided fuzzing of the properties in tests/fuzz: atheris makes the bytes from which Hypothesis draws its examples.

    python tools/fuzz.py SECONDS [FOLDER]

Run by `make fuzz` in an environment of its own. The properties draw from the recordings, which are read in place. A property that
does not hold ends it with a traceback, and the input stays in FOLDER; libFuzzer's own lines say what was tried: inputs, branches
(`cov`) at the start and at the end, memory.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def fuzz(seconds: str, folder: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["runspan"]):
        from tests.fuzz import test_lifecycle, test_thread_order, test_wire, test_worker

    modules = (test_wire, test_worker, test_lifecycle, test_thread_order)
    found = (value for module in modules for value in vars(module).values() if hasattr(value, "hypothesis"))
    properties: list[Callable[[bytes], object]] = [one.hypothesis.fuzz_one_input for one in found]

    def one_input(data: bytes) -> None:
        properties[data[0] % len(properties) if data else 0](data[1:])

    options = [
        f"-max_total_time={seconds}",
        "-max_len=8000",
        "-timeout=60",
        "-rss_limit_mb=3000",
        "-print_final_stats=1",
    ]
    atheris.Setup(
        [sys.argv[0], *options, f"-artifact_prefix={folder}/crashes/", str(folder / "corpus")], one_input
    )
    atheris.Fuzz()


def main(seconds: str, where: str = "", child: str = "") -> int:
    folder = Path(where or tempfile.mkdtemp(prefix="runspan-fuzz-"))
    if child:
        fuzz(seconds, folder)
        return 0
    for part in ("corpus", "crashes"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    print(f"{seconds} s; inputs are kept in {folder}", flush=True)
    command = [sys.executable, __file__, seconds, str(folder), "child"]
    done = subprocess.run(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True)
    crashes = sorted((folder / "crashes").iterdir())
    pulses = re.findall(r"#\d+\s+\w+\s+cov:.*", done.stdout)
    print(*pulses[:1], *pulses[-1:], *re.findall("stat::.*", done.stdout), sep="\n")
    is_fault = bool(done.returncode or crashes)
    if is_fault:
        print("\n".join(done.stdout.splitlines()[-40:]), *crashes, sep="\n")
    print("a fault" if is_fault else "no fault")
    return is_fault


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    sys.exit(main(*sys.argv[1:]))
