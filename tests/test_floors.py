"""The import law of docs/design.md: data goes one way, and each part knows only what it must."""

from __future__ import annotations

import ast
import sys

import pytest
from tools import import_picture
from tools.import_picture import MODULES, imports, inner, is_in, name_of

from tests.support.sources import tree_of

# The first matching prefix decides. None: apart, imports nothing of the rest and is imported by floor 6 only.
FLOORS: tuple[tuple[str, int | None], ...] = (
    ("fake", None),
    ("viewer", None),
    ("cli", 6),
    ("__main__", 7),
    ("importing", 5),
    ("zero_code", 5),
    ("handle", 5),
    ("setup", 5),
    ("providers", 5),
    ("meters", 5),
    ("testing", 5),
    ("processes", 4),
    ("exporting", 4),
    ("clients", 4),
    ("observing", 4),
    ("runtime", 3),
    ("pricing", 2),
    ("apis", 2),
    ("conventions", 2),
    ("core.model", 0),
    ("core.phases", 0),
    ("core", 1),
    ("presets", 1),
    ("config", 0),
    ("stats", 0),
    ("_compat", 0),
    ("guard", 0),
    ("_version", 0),
)
TOGETHER = {
    "setup",
    "zero_code",
    "handle",
    "providers",
    "meters",
    "testing",
}  # one floor, in one another's sight
ONE_DOOR = ("runtime", "clients")  # they know of APIs what `apis.api` says
PURE = ("core", "apis", "conventions")
CLOCKS_AND_LOCKS = frozenset(
    {"time", "threading", "asyncio", "queue", "_thread", "socket", "concurrent", "logging", "os"}
)
ALLOWED = {  # of the packages that are not the standard library's
    "openai": ("clients.openai", "cli"),  # cli: the demo plays an app
    "wrapt": ("clients", "observing.thread_pools", "runtime.endings"),
    "opentelemetry": (
        "_compat",
        "runtime.emitter",
        "runtime.identity",
        "runtime.content_event",
        "runtime.metrics",
        "runtime.otel_context",
        "runtime.active",
        "runtime.work_unit",
        "runtime.tracers",
        "observing",
        "exporting",
        "setup",
        "providers",
        "meters",
        "testing",
        "importing",
        "cli",
    ),
    "opentelemetry.proto": ("viewer",),
    "google": ("viewer", "exporting"),
    "grpc": ("exporting", "viewer", "cli.health"),
    "requests": ("exporting", "cli.health"),
    "click": ("cli",),
    "pytest": ("testing",),
    "genai_prices": ("pricing",),
    "msgspec": ("config", "core", "apis", "runtime", "clients", "observing", "viewer", "importing"),
    "jinja2": ("viewer",),
    "mcp": ("viewer.mcp",),
    "markdown_it": ("viewer",),
    "markupsafe": ("viewer",),
    "nh3": ("viewer",),
    "starlette": ("fake", "viewer"),
    "uvicorn": ("fake", "viewer"),
}


def floor(name: str) -> int | None:
    return next(number for prefix, number in FLOORS if is_in(name, prefix))


def may_import(own: str, target: str) -> bool:
    """Lower floors; neighbours in the same folder; above all of them, the face."""
    if target in ("core.model", "core.phases") and is_in(own, "core"):
        return True
    if own.partition(".")[0] == target.partition(".")[0] or {own.partition(".")[0], target} <= TOGETHER:
        return own != "core.model" or target == "core.phases"
    if own.partition(".")[0] in ONE_DOOR and is_in(target, "apis"):
        return target == "apis.api"
    of_own, of_target = floor(own), floor(target) if target else 5
    if of_own is None or of_target is None:
        return of_own == 6 or (own == "observing.console" and is_in(target, "viewer"))
    return of_target < of_own


def test_a_module_imports_lower_floors_only() -> None:
    """But for the face, which shows things of all floors, lazily."""
    assert [
        f"{path}:{line}: {target or 'runspan'}"
        for path in MODULES
        for target, line in ((inner(full), line) for full, _, line in imports(path))
        if name_of(path) and target is not None and not may_import(name_of(path), target)
    ] == []


def test_the_law_is_what_the_design_says() -> None:
    allowed = [
        ("runtime.tracker", "core.model"),
        ("runtime.tracker", "apis.api"),
        ("handle", "apis"),
        ("setup", "providers"),
        ("cli.demo", "viewer.tree"),
        ("cli.demo", ""),
    ]
    refused = [
        ("core.model", "core.conversation"),
        ("core.conversation", "apis.api"),
        ("apis.assistants.objects", "conventions.genai"),
        ("runtime.tracker", "apis"),
        ("runtime.tracker", "apis.assistants.statuses"),
        ("clients.taps", "apis.assistants.events"),
        ("runtime.emitter", "clients.choke_point"),
        ("clients.choke_point", "setup"),
        ("clients.choke_point", "observing"),
        ("config", "core.redact"),
        ("viewer.tree", "core.model"),
        ("fake.server", "viewer.http_body"),
        ("setup", "viewer.tree"),
        ("runtime.worker", ""),
    ]
    assert all(may_import(own, target) for own, target in allowed)
    assert not [pair for pair in refused if may_import(*pair)]


def test_what_others_wrote_is_imported_where_it_belongs() -> None:
    wrong = []
    for path in MODULES:
        for full, _, line in imports(path):
            top = full.partition(".")[0]
            if top == "runspan" or top in sys.stdlib_module_names:
                continue
            places = [
                place for package, places in ALLOWED.items() if is_in(full, package) for place in places
            ]
            if not any(is_in(name_of(path), place) for place in places):
                wrong.append(f"{path}:{line}: {full}")
    assert wrong == []


def test_openai_and_wrapt_are_imported_late() -> None:
    assert [
        f"{path}:{line}: {full}"
        for path in MODULES
        for full, at_once, line in imports(path)
        if at_once and full.partition(".")[0] in ("openai", "wrapt") and not is_in(name_of(path), "cli")
    ] == []


def test_the_pure_parts_know_neither_clocks_nor_locks_nor_logs() -> None:
    pure = [path for path in MODULES if name_of(path).partition(".")[0] in PURE]
    assert len(pure) > 50
    for path in pure:
        assert [full for full, _, _ in imports(path) if full.partition(".")[0] in CLOCKS_AND_LOCKS] == [], (
            path
        )
        names = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Name)]
        used = {name.id for name in names if isinstance(name.ctx, ast.Load)}  # a field may be called `input`
        assert not {"open", "print", "input", "globals"} & used, path


def test_files_are_short_enough_to_read() -> None:
    lines = {name_of(path): path.read_text("utf-8").count("\n") for path in MODULES}
    long = ("fake.library", "fake.scenarios")
    assert {name: many for name, many in lines.items() if many > (600 if name in long else 400)} == {}


def test_every_module_has_a_floor() -> None:
    homeless = [
        name_of(p) for p in MODULES if name_of(p) and not any(is_in(name_of(p), f) for f, _ in FLOORS)
    ]
    assert homeless == []


def test_every_module_says_what_it_is_for() -> None:
    without = [
        name_of(path) for path in MODULES if path.stat().st_size and not ast.get_docstring(tree_of(path))
    ]
    assert without == []


def test_no_modules_import_one_another_in_a_circle(capsys: pytest.CaptureFixture[str]) -> None:
    assert import_picture.main() == 0
    assert capsys.readouterr().out.endswith(" modules, no circle\n")
