"""The face: what `runspan` shows, and nothing else."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runspan

ROOT = Path(__file__).parents[1]


def test_all_is_what_dir_shows_and_what_can_be_had() -> None:
    assert dir(runspan) == sorted(runspan.__all__)
    assert all(getattr(runspan, name) is not None for name in runspan.__all__)
    namespace: dict[str, object] = {}
    exec("from runspan import *", namespace)
    assert namespace.keys() - {"__builtins__"} == set(runspan.__all__)


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'trace'. It has: .*\bobserve\b.*\bspan\b"):
        runspan.trace()


def test_no_submodule_has_the_name_of_something_public() -> None:
    """`import runspan.instrument` would put the module in the function's place."""
    modules = {module.name for module in pkgutil.iter_modules(runspan.__path__)}
    assert modules & set(runspan.__all__) == set()


def test_public_things_stay_what_they_are_after_all_submodules_are_imported() -> None:
    for module in pkgutil.walk_packages(runspan.__path__, "runspan."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert inspect.isfunction(runspan.instrument)
    assert inspect.isfunction(runspan.uninstrument)
    assert inspect.isfunction(runspan.flush)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'instruments'"):
        runspan.instruments  # noqa: B018


def test_public_functions_are_documented() -> None:
    things = [getattr(runspan, name) for name in runspan.__all__]
    assert not [thing for thing in things if callable(thing) and not inspect.getdoc(thing)]


def test_a_wrong_setting_is_a_value_error() -> None:
    assert issubclass(runspan.ConfigError, ValueError)


def test_the_version_is_that_of_the_package() -> None:
    assert importlib.metadata.version("runspan") == runspan.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+(rc\d+|\.dev\d+)?", runspan.__version__)


@pytest.mark.wide
def test_the_package_tells_type_checkers_that_it_has_types(tmp_path: Path) -> None:
    assert (ROOT / "src/runspan/py.typed").exists()
    module = tmp_path / "use.py"
    module.write_text(
        "import runspan\nreveal_type(runspan.flush(1.0))\nreveal_type(runspan.instrument().stats().live)\n"
    )
    mypy = pytest.importorskip("mypy")
    assert mypy
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(module)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300).stdout
    assert re.findall(r'Revealed type is "(?:builtins\.)?(\w+)"', said) == ["bool", "int"], said
