"""What must not stand in the source, and that files are their owner's alone."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runspan.exporting.file import FileExporter
from runspan.viewer.store.queries import Store

SOURCE = Path(__file__).parents[1] / "src" / "runspan"

# Each turns data into code, or into a command.
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "code", "codeop"}
# An interrupt of our own, as a text; and `runspan run app.py` runs the app's own file, which the owner named.
ALLOWED = {("runtime/endings.py", "exec"), ("cli/launch.py", "exec"), ("cli/launch.py", "compile")}


def dangerous(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if (name := ast.unparse(node.func)) in CALLS:
                yield name
            if any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in node.keywords):
                yield "shell"
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from {str(node.module).partition(".")[0]} & MODULES


def test_foreign_data_is_never_run_nor_unpickled() -> None:
    found = {
        (str(path.relative_to(SOURCE)), name)
        for path in SOURCE.rglob("*.py")
        for name in dangerous(ast.parse(path.read_text("utf-8")))
    }
    assert found == ALLOWED


@pytest.mark.parametrize(
    "line",
    ["eval(x)", "import pickle", "from marshal import loads", "run(x, shell=True)", "yaml.load(x)"],
)
def test_the_search_finds_them(line: str) -> None:
    assert list(dangerous(ast.parse(line)))


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
def test_what_is_kept_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    FileExporter(str(tmp_path / "traces.jsonl")).export(())
    folder = tmp_path / "data" / "runspan"
    store = Store(folder / "traces.db")
    try:
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (tmp_path / "traces.jsonl", *folder.iterdir())
        }
    finally:
        store.close()
    assert modes.keys() >= {"traces.jsonl", "traces.db", "traces.db-wal", "traces.db-shm"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
