"""The command as a whole: help, exit codes, and what it says without its extra."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from runspan.cli import exits
from runspan.cli.group import COMMANDS, cli
from runspan.cli.main import main
from tests.support import receiver as receivers
from tests.support.children import ROOT, Ended, environment, run

from .conftest import Command
from .saved import three_runs

# Packages that only the extra brings, and those that the command had needed before.
EXTRA = (
    "grpc",
    "jinja2",
    "markdown_it",
    "markupsafe",
    "nh3",
    "starlette",
    "uvicorn",
    "rich",
    "packaging",
    "platformdirs",
)
HIDING = f"""
    import sys
    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {EXTRA!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    sys.meta_path.insert(0, Hidden())
    from runspan.cli.main import main
    sys.exit(main({{arguments!r}}))
"""


def test_the_script_is_installed() -> None:
    (point,) = [p for p in metadata.entry_points(group="console_scripts") if p.name == "runspan"]
    assert point.load() is main


def without_the_extra(home: Path, *arguments: str | Path, **env: str) -> Ended:
    script = HIDING.replace("{arguments!r}", repr(list(map(str, arguments))))
    return run(script, environment(None, None, HOME=str(home), XDG_DATA_HOME=str(home), COLUMNS="100", **env))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--help",), 0, "runspan doctor"),
        *(((name, "--help"), 0, f"runspan {name}") for name in COMMANDS),
        (("tree", "FILE"), 0, "run invoke_agent Weather"),
        (("stats", "FILE"), 0, "Weather"),
        (("run", "--file", "out.jsonl", "FILE.py"), 0, "the app"),
        (("demo", "--terminal"), 0, "6 runs: 5 completed, 1 failed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_command_needs_nothing_of_the_extra(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    file = three_runs(tmp_path / "traces.jsonl")
    (tmp_path / "app.py").write_text("print('the app')")
    given = {"FILE": file, "FILE.py": tmp_path / "app.py", "out.jsonl": tmp_path / "out.jsonl"}
    ended = without_the_extra(tmp_path, *(given.get(one, one) for one in arguments))
    assert (ended.code, ended.err) == (code, "")
    assert said in ended.out


def test_replay_and_doctor_need_nothing_of_the_extra(tmp_path: Path) -> None:
    """Over HTTP: what speaks gRPC is there where the exporter is."""
    with receivers.serve() as receiver:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
        replayed = without_the_extra(tmp_path, "replay", three_runs(tmp_path / "traces.jsonl"), **env)
        assert replayed.check().startswith("12 spans delivered")
        examined = without_the_extra(tmp_path, "doctor", **env)
    assert examined.code == 0, examined.out
    assert "the receiver took the test trace" in examined.out


@pytest.mark.parametrize("arguments", [("ui",), ("demo",)])
def test_the_viewer_without_the_extra_is_one_line_that_says_how_to_get_it(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ended = without_the_extra(tmp_path, *arguments, "--port", "0")
    assert (ended.code, ended.out) == (exits.NO_EXTRA, "")
    (line,) = ended.err.splitlines()
    assert "pip install 'runspan[ui]' (in a clone: pip install '.[ui]')" in line


def test_the_base_brings_click_and_the_extra_what_the_viewer_imports() -> None:
    required = [Requirement(one) for one in metadata.requires("runspan") or ()]
    names = {"base": {one.name for one in required if one.marker is None},
             "ui": {one.name for one in required if one.marker is not None and one.marker.evaluate({"extra": "ui"})}}  # fmt: skip
    assert "click" in names["base"]
    assert names["ui"] == {"grpcio", "jinja2", "markdown-it-py", "markupsafe", "nh3", "starlette", "uvicorn"}


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tre",), "there is no command 'tre'. Did you mean tree? (see runspan --help)"),
        (("Stats", "x"), "there is no command 'Stats'. Did you mean stats? (see runspan --help)"),
        (("zzz",), "there is no command 'zzz'. (see runspan --help)"),
        (("tree", "--statsu", "failed"), "(see runspan tree --help)"),
        (("stats", "--by", "modle"), "'modle' is not one of 'assistant', 'model'"),
        (("tree", "--last", "0"), "0 is not in the range x>=1"),
        (("replay", "nothing.jsonl"), "'nothing.jsonl' does not exist"),
    ],
)
def test_what_is_misspelt_is_one_line_that_helps(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    ended = command(*arguments)
    assert (ended.returncode, ended.stdout) == (exits.USAGE, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: ")
    assert said in line


def test_errors_quote_names_harmlessly(command: Command) -> None:
    ended = command("tree", "\x1b[31m\u202eevil.jsonl")
    assert "\x1b" not in ended.stderr
    assert "\u202e" not in ended.stderr
    assert "␛[31m\ufffdevil.jsonl" in ended.stderr


def test_help_of_a_command_imports_no_web_server() -> None:
    script = "from runspan.cli.main import main; import sys; main(['run', '--help']); print('starlette' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(ROOT))
    assert done.stdout.splitlines()[-1] == "False", done.stderr
