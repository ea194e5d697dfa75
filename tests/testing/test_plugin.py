"""The plugin in a suite of somebody else, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.wide  # each is a pytest of its own

HEAVY = {"openai", "opentelemetry", "wrapt", "asyncio", "pydantic", "runspan.setup", "runspan.fake"}
EXAMPLE = Path(__file__).parents[2] / "examples" / "test_my_assistant.py"

INI = """
[pytest]
addopts = --strict-markers
filterwarnings =
    error
    ignore:The Assistants API is deprecated:DeprecationWarning
    ignore:deprecated$:DeprecationWarning
"""


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_suite_that_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    """It loads nothing heavy; pytest does: from Python 3.14 on its pdb loads asyncio."""
    (tmp_path / "test_own.py").write_text(
        "import sys\n\ndef test_loaded():\n    print('', *sys.modules, '')\n"
    )
    quiet = ("-W", "error", "-q", "-s", "-p", "no:xdist", "-p", "no:anyio")
    without, ours = (pytest_in(tmp_path, *quiet, "-p", plugin) for plugin in ("no:runspan", "no:no_such"))
    assert (without.returncode, ours.returncode) == (0, 0), without.stdout + ours.stdout
    loaded = set(ours.stdout.split()) - set(without.stdout.split())
    assert "runspan.testing.plugin" in loaded
    assert loaded & HEAVY == set()


def test_a_suite_with_warnings_as_errors_and_xdist_uses_it(tmp_path: Path) -> None:
    (tmp_path / "test_assistant.py").write_text(EXAMPLE.read_text())
    (tmp_path / "pytest.ini").write_text(INI)
    done = pytest_in(tmp_path, "-n", "2", "-q")
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_the_first_test_of_a_suite_may_be_a_coroutine(tmp_path: Path) -> None:
    (tmp_path / "test_async.py").write_text(
        """
import time

import pytest
from openai import AsyncOpenAI


def slow(kind, text):
    time.sleep(0.1)  # in all more than a flush may hold up an event loop
    return text


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.runspan(redact=slow)
async def test_a_run(assistants_server, run_traces):
    async with AsyncOpenAI() as client:
        tutor = await client.beta.assistants.create(model="gpt-4o", name="Tutor", instructions="Be brief.")
        run = await client.beta.threads.create_and_run_poll(assistant_id=tutor.id)
        await client.beta.threads.messages.list(run.thread_id)
    assert run_traces.only.status == "completed"
"""
    )
    (tmp_path / "pytest.ini").write_text(INI)
    done = pytest_in(tmp_path)
    assert "1 passed" in done.stdout, done.stdout
