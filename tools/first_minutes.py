"""What a user does first with an installed runspan; tools/try_wheel.py calls `python -I tools/first_minutes.py STEP`.

Runs by the Python in whose environment runspan is installed, in a folder that is empty. A step that fails ends with a traceback.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

BIN = Path(sys.executable).parent
TEST = """
from openai import OpenAI

def test_a_run_is_one_trace(assistants_server, run_traces):
    with OpenAI() as client:
        tutor = client.beta.assistants.create(model="gpt-4o", name="Tutor", instructions="Be brief.")
        client.beta.threads.create_and_run_poll(assistant_id=tutor.id)
    assert run_traces.only.status == "completed"
"""


def imported() -> None:
    """Without a warning, out of the environment, with types."""
    import runspan

    where = Path(runspan.__file__).resolve().parent
    assert where.is_relative_to(Path(sys.prefix).resolve()), where
    assert (where / "py.typed").is_file()
    assert runspan.__version__ == metadata.version("runspan")
    runspan.instrument(endpoint="http://127.0.0.1:9")
    runspan.uninstrument()


def command() -> None:
    assert "Examples:" in _printed(BIN / "runspan", "run", "--help")


def demo() -> None:
    """A fake server, the real client, spans over OTLP, drawn."""
    drawn = _printed(BIN / "runspan", "demo", "--terminal")
    assert "execute_tool" in drawn, drawn


def viewer() -> None:
    """The demo in the viewer, whose pages and documentation are files of the wheel."""
    arguments = [BIN / "runspan", "demo", "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        said = ""
        for line in child.stdout:
            said += line
            if line.startswith("Now look at "):
                url = line.split()[3]
                break
        else:
            raise AssertionError(said)
        for path in ("", "docs"):
            with urllib.request.urlopen(f"{url.rstrip('/')}/{path}") as answer:
                assert answer.status == 200
                assert b"<html" in answer.read()
        child.send_signal(signal.SIGINT)
        child.communicate()
    assert child.returncode == 0, said


def plugin() -> None:
    """The fixtures of the pytest plugin, in a test of a user."""
    Path("test_app.py").write_text(TEST)
    assert "1 passed" in _printed(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_app.py"
    )


def _printed(*arguments: str | Path) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


STEPS: dict[str, Callable[[], None]] = {
    step.__name__: step for step in (imported, command, demo, viewer, plugin)
}

if __name__ == "__main__":
    STEPS[sys.argv[1]]()
