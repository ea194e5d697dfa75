"""The command as a whole: help, exit codes, and what it says without its extra."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import tomllib
from click.testing import CliRunner

from runspan.cli import exits
from runspan.cli.group import COMMANDS, cli
from runspan.cli.main import NEEDED, main
from tests.support.children import ROOT, run

from .conftest import Command

HIDING = """
    import sys
    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {hidden!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    import importlib.util
    real = importlib.util.find_spec
    importlib.util.find_spec = lambda name, package=None: None if name in {hidden!r} else real(name, package)
    sys.meta_path.insert(0, Hidden())
    from runspan.cli.main import main
    sys.exit(main(["tree", "x"]))
"""


def test_the_script_is_installed() -> None:
    (point,) = [p for p in importlib.metadata.entry_points(group="console_scripts") if p.name == "runspan"]
    assert point.load() is main


@pytest.mark.parametrize("hidden", [("click", "rich", "starlette"), ("jinja2",)])
def test_without_the_extra_it_prints_the_line_to_install_it(hidden: tuple[str, ...]) -> None:
    """Also where only a part of it is there: click comes with many packages."""
    ended = run(HIDING.format(hidden=hidden))
    assert (ended.code, ended.out) == (exits.NO_EXTRA, "")
    assert "    pip install 'runspan[ui]'\n" in ended.err
    assert ", ".join(hidden) in ended.err
    assert "Traceback" not in ended.err


def test_what_it_looks_for_is_what_the_extra_brings() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extra = tomllib.load(file)["project"]["optional-dependencies"]["ui"]
    assert tuple(re.match(r"[\w-]+", one)[0] for one in extra) == NEEDED  # type: ignore[index]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_teaches_by_examples(name: str) -> None:
    shown = CliRunner().invoke(cli, [name, "--help"]).output
    assert f"\n    runspan {name}" in shown.partition("Examples:")[2]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert len(command.get_short_help_str()) < 60


def test_the_help_names_the_exit_codes(command: Command) -> None:
    shown = command("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert all(f"{code:<5} {meaning}" in shown.stdout for code, meaning in exits.MEANINGS.items())


@pytest.mark.parametrize("arguments", [("trees",), ("tree", "--nope"), ("run",), ("tree", "nothing.jsonl")])
def test_what_is_asked_wrongly_ends_in_2_with_a_reason_and_no_traceback(
    command: Command, arguments: tuple[str, ...]
) -> None:
    ended = command(*arguments)
    assert (ended.returncode, ended.stdout) == (exits.USAGE, "")
    assert "Error: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_errors_quote_names_harmlessly(command: Command) -> None:
    ended = command("tree", "\x1b[31m\u202eevil.jsonl")
    assert "\x1b" not in ended.stderr
    assert "\u202e" not in ended.stderr
    assert "␛[31m\ufffdevil.jsonl" in ended.stderr


def test_help_of_a_command_imports_no_web_server() -> None:
    script = "from runspan.cli.main import main; import sys; main(['run', '--help']); print('starlette' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(ROOT))
    assert done.stdout.splitlines()[-1] == "False", done.stderr
