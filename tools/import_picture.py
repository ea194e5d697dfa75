"""Which room imports which, from the highest floor down, and whether there is a circle: `python tools/import_picture.py`.

Imports inside functions count, too. Exit code 1: modules import one another in a circle.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "runspan"
FACE = ""  # `__init__` shows things of all rooms, lazily: it is above all of them


def main() -> int:
    graph = {name_of(path): set(imported(path)) for path in MODULES}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        print(f"a circle: {' -> '.join(error.args[1])}")
        return 1
    rooms: dict[str, set[str]] = {}
    for name in reversed(order):
        room = name.partition(".")[0]
        rooms.setdefault(room, set()).update({target.partition(".")[0] for target in graph[name]} - {room})
    for room, below in rooms.items():
        print(f"{room or 'runspan':<12} -> {', '.join(sorted(below)) or '-'}")
    print(f"\n{len(order)} modules, no circle")
    return 0


def imported(path: Path) -> Iterator[str]:
    """The modules of ours that one imports, the face aside."""
    own = name_of(path)
    targets = (inner(full) for full, _, _ in imports(path)) if own != FACE else ()
    yield from (target for target in targets if target not in (None, own, FACE))


# ---------------------------------------------------------------- what a file imports


def name_of(path: Path) -> str:
    """ "core.model" for src/runspan/core/model.py; "" for the face."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(SOURCE.rglob("*.py"))
NAMES = frozenset(map(name_of, MODULES))


def is_in(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


@cache
def imports(path: Path) -> tuple[tuple[str, bool, int], ...]:
    """(absolute name, at import time, line), also those inside functions; not those for type checkers only."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool, int]]:
    tree = ast.parse(path.read_text("utf-8"))
    package = ["runspan", *path.relative_to(SOURCE).parent.parts]
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for part in node.body
        for inner in ast.walk(part)
    }
    late = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node not in late, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{module}.{alias.name}", node not in late, node.lineno


def inner(full: str) -> str | None:
    """Which of our modules a `from ... import name` means: the submodule if there is one, else the module. None: not ours."""
    if not is_in(full, "runspan"):
        return None
    name = full.removeprefix("runspan").lstrip(".")
    return name if name in NAMES else name.rpartition(".")[0]


if __name__ == "__main__":
    sys.exit(main())
