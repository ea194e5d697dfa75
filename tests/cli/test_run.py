"""`runspan run`: the app is what it would be under `python`, and its runs are traced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from runspan.fake import Server
from tests.support.children import PATIENCE_S, ROOT
from tests.support.otlp import generations, runs
from tests.support.receiver import Receiver

from .conftest import Command, line

SCRIPT = ROOT / "tests" / "support" / "tutor_script.py"

ABOUT_ITSELF = """
    import sys, os, json, __main__
    names = ("__name__", "__file__", "__package__", "__cached__")
    shown = {name: str(getattr(__main__, name, "absent")) for name in names}
    shown |= {name: str(getattr(__spec__, name, "absent")) for name in ("name", "origin", "parent", "cached")}
    print(json.dumps([sys.argv, sys.path[:2], shown, type(__loader__).__name__, sorted(vars(__main__))]))
"""


def write(path: Path, script: str) -> Path:
    path.write_text(textwrap.dedent(script))
    return path


def both(command: Command, *arguments: str, **env: str) -> tuple[subprocess.CompletedProcess[str], ...]:
    """The same with `python` and with `runspan run`."""
    env = command.env(OTEL_TRACES_EXPORTER="none", **env)
    begins = ([sys.executable], [sys.executable, "-m", "runspan.cli", "run"])
    return tuple(
        subprocess.run(
            [*begin, *arguments],
            env=env,
            cwd=command.home,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        for begin in begins
    )


def outcome(ended: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return ended.returncode, ended.stdout, ended.stderr


def test_an_unchanged_script_is_traced(command: Command, server: Server, receiver: Receiver) -> None:
    assert "runspan" not in SCRIPT.read_text()
    ended = command(
        "run",
        "--service-name",
        "tutor",
        SCRIPT,
        APP_SERVER=server.base_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    run_id, status = ended.stdout.split()
    (span,) = runs(receiver)
    assert (span.attributes["runspan.run.id"], status) == (run_id, "completed")
    assert span.resource["service.name"] == "tutor"
    assert [one.parent_id for one in generations(receiver)] == [span.span_id]


def test_options_say_where_to_and_what(command: Command, server: Server) -> None:
    ended = command("run", "--file", "traces.jsonl", "--no-content", SCRIPT, APP_SERVER=server.base_url)
    assert (ended.returncode, ended.stderr) == (0, "")
    written = (command.home / "traces.jsonl").read_text()
    assert ended.stdout.split()[0] in written
    assert "What is 1 + 1?" not in written
    shown = command("tree", "traces.jsonl")
    assert "run invoke_agent Math Tutor" in shown.stdout
    assert (shown.returncode, shown.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments", [("app.py",), ("app.py", "--json", "-m", "--", "x y"), ("sub/app.py", "-h")]
)
def test_a_script_finds_itself_as_under_python(command: Command, arguments: tuple[str, ...]) -> None:
    (command.home / "sub").mkdir()
    write(command.home / "app.py", ABOUT_ITSELF)
    write(command.home / "sub" / "app.py", ABOUT_ITSELF)
    plain, ours = both(command, *arguments)
    assert outcome(ours) == outcome(plain)


@pytest.mark.parametrize(
    "arguments", [("-m", "app", "--file", "x"), ("-m", "package", "1"), ("-m", "package.inner")]
)
def test_a_module_finds_itself_as_under_python(command: Command, arguments: tuple[str, ...]) -> None:
    (command.home / "package").mkdir()
    write(command.home / "package" / "__init__.py", "print('first')")
    for name in ("app.py", "package/__main__.py", "package/inner.py"):
        write(command.home / name, ABOUT_ITSELF)
    plain, ours = both(command, *arguments)
    assert outcome(ours) == outcome(plain)


def test_a_folder_and_a_zip_with_a_main_run(command: Command) -> None:
    (command.home / "folder").mkdir()
    script = write(command.home / "folder" / "__main__.py", ABOUT_ITSELF)
    with zipfile.ZipFile(command.home / "app.pyz", "w") as archive:
        archive.write(script, "__main__.py")
    for target in ("folder", "app.pyz"):
        plain, ours = both(command, target, "1")
        assert outcome(ours) == outcome(plain)


ENDINGS = {
    "exit code": "raise SystemExit(7)",
    "exit message": "import sys; sys.exit('no such thing')",
    "exception": "def inner():\n    raise ValueError('mine')\ninner()",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
    "syntax": "x = = 1",
    "own hook": """
        import sys
        sys.excepthook = lambda kind, e, trace: print(kind, trace.tb_lineno, e.__traceback__ is trace)
        1 / 0""",
    "exit hook": "import atexit\natexit.register(lambda: print('bye', __name__))",
    "late thread": """
        import sys, threading, time
        def late():
            time.sleep(0.2)
            print(vars(sys.modules["__main__"]) is globals())
        threading.Thread(target=late).start()""",
    "hard exit": "import os; print('x', flush=True); os._exit(5)",
    "pickled": """
        import atexit, pickle
        class A: ...
        atexit.register(lambda: print(type(pickle.loads(pickle.dumps(A())))))""",
    "interrupted": "raise KeyboardInterrupt",
    "signalled": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
}


@pytest.mark.parametrize("name", ENDINGS)
def test_it_ends_as_under_python(command: Command, name: str) -> None:
    write(command.home / "app.py", ENDINGS[name])
    plain, ours = both(command, "app.py")
    assert outcome(ours) == outcome(plain)


@pytest.mark.parametrize("arguments", [("-m", "nowhere"), ("-m", "nowhere.inner"), ("-m", "json")])
def test_a_module_that_can_not_run_is_named(command: Command, arguments: tuple[str, ...]) -> None:
    plain, ours = both(command, *arguments)
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout) == (1, "")
    assert ours.stderr.startswith("runspan run: no module named ")


def test_an_import_that_fails_inside_the_app_is_the_apps(command: Command) -> None:
    (command.home / "package").mkdir()
    write(command.home / "package" / "__init__.py", "import nowhere_at_all")
    write(command.home / "package" / "__main__.py", "")
    _, ours = both(command, "-m", "package")
    assert "ModuleNotFoundError: No module named 'nowhere_at_all'" in ours.stderr


def test_children_by_spawn_find_the_script(command: Command) -> None:
    script = """
        import multiprocessing
        def square(x):
            return x * x
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(square, [1, 2, 3]))
    """
    write(command.home / "app.py", script)
    _, ours = both(command, "app.py")
    assert (ours.returncode, ours.stdout) == (0, "[1, 4, 9]\n"), ours.stderr


@pytest.mark.parametrize(
    ("options", "env", "said"),
    [
        ((), {"RUNSPAN_CALLS": "some"}, "RUNSPAN_CALLS='some'"),
        ((), {"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense"}, "OTEL_EXPORTER_OTLP_ENDPOINT='nonsense'"),
        (("--backend", "langfuse"), {}, "LANGFUSE_"),
    ],
)
def test_a_wrong_setting_leaves_the_app_running_and_is_said_once(
    command: Command, options: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    write(command.home / "app.py", "print('ran')")
    ended = command("run", *options, "app.py", **env)
    assert (ended.returncode, ended.stdout) == (0, "ran\n")
    (told,) = ended.stderr.splitlines()
    assert said in told
    assert told.endswith("Nothing is traced.")


def test_a_missing_script_is_named(command: Command) -> None:
    ended = command("run", "nowhere.py")
    assert (ended.returncode, ended.stderr) == (2, "Error: can't find nowhere.py\n")
    assert "a module? -m uvicorn" in command("run", "uvicorn").stderr
    assert "leave out python3, and give what follows it" in command("run", "python3", "app.py").stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--endpoint", one)
        for one in ("localhost:4318", "http://localhost:99999", "http://[::1", "http://", "ftp://x")
    ]
    + [("--file", "/nowhere/traces.jsonl"), ("--file", ".")],
)
def test_an_option_that_is_wrong_is_named_before_the_app_is_started(
    command: Command, options: tuple[str, str]
) -> None:
    write(command.home / "app.py", "print('ran')")
    ended = command("run", *options, "app.py")
    assert (ended.returncode, ended.stdout) == (2, "")
    (told,) = ended.stderr.splitlines()
    assert told.startswith(f"Error: {options[0].strip('-')}={options[1]!r}")


def test_ctrl_c_goes_to_the_app(command: Command) -> None:
    write(command.home / "app.py", "import time\nprint('ready', flush=True)\ntime.sleep(60)")
    with command.started("run", "app.py", OTEL_TRACES_EXPORTER="none") as child:
        assert line(child.stdout) == "ready"
        os.kill(child.pid, signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE_S)
        assert child.returncode == -signal.SIGINT
        assert err.endswith("KeyboardInterrupt\n")
        assert "runspan" not in err


def test_what_the_apps_own_call_keeps_back_stays_with_it(command: Command, server: Server) -> None:
    script = """
        import runspan
        runspan.instrument(capture_content=False)
        from tests.support import app
        app.whole_run(app.client())
    """
    write(command.home / "app.py", script)
    ended = command("run", "--file", "traces.jsonl", "app.py", APP_SERVER=server.base_url)
    assert (ended.returncode, ended.stderr) == (0, "")
    written = (command.home / "traces.jsonl").read_text()
    assert "gen_ai.usage.input_tokens" in written
    assert "What is 1 + 1?" not in written
