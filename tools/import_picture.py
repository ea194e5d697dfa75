"""Which room imports which, from the highest floor down, and whether there is a circle: `python tools/import_picture.py`.

Imports inside functions count, too. Exit code 1: modules import one another in a circle.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "runspan"
FACE = "runspan"  # `__init__` shows things of all rooms, lazily: it is above all of them


def main() -> int:
    modules = {name_of(path): path for path in SOURCE.rglob("*.py")}
    graph = {name: set(imported(name, path, modules)) for name, path in modules.items()}
    rooms: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph.items():
        rooms[room_of(name)] |= {room_of(target) for target in targets} - {room_of(name)}
    for room in sorted(rooms, key=lambda room: -len(below(room, rooms))):
        print(f"{room:<12} -> {', '.join(sorted(rooms[room])) or '-'}")
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        print(f"\na circle: {' -> '.join(error.args[1])}")
        return 1
    print(f"\n{len(order)} modules, no circle")
    return 0


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or FACE


def room_of(name: str) -> str:
    return name.partition(".")[0]


def below(room: str, rooms: dict[str, set[str]]) -> set[str]:
    """All rooms that it leads to."""
    found: set[str] = set()
    ways = [room]
    while ways:
        for target in rooms.get(ways.pop(), set()) - found:
            found.add(target)
            ways.append(target)
    return found


def imported(name: str, path: Path, modules: dict[str, Path]) -> Iterator[str]:
    package = ["runspan", *path.relative_to(SOURCE).parent.parts]
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node in for_types:
            continue
        base = package[: len(package) - node.level + 1] if node.level else []
        full = ".".join([*base, *([node.module] if node.module else [])])
        if full.partition(".")[0] != "runspan" or name == FACE:
            continue
        for alias in node.names:
            inside = f"{full}.{alias.name}".removeprefix("runspan").lstrip(".")
            target = inside if inside in modules else full.removeprefix("runspan").lstrip(".") or FACE
            if target not in (name, FACE):
                yield target


if __name__ == "__main__":
    sys.exit(main())
