"""Each example runs as it stands and says what it should; and the user-like test file passes."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from runspan import setup
from runspan.viewer import tree
from tests.support.slices import few

EXAMPLES = Path(__file__).parents[1] / "examples"

# What is printed, in this order; the trace comes after the app's own words.
SAID = {
    "polling_tutor": (
        "completed: the solution of 3x + 11 = 14 is x = 1.",
        "invoke_agent Math Tutor",
        "1 run: 1 completed",
    ),
    "follow_up": (
        "x = 1.",
        "Jane Doe, the solution of 2x - 4 = 0 is x = 2.",
        "Address the user as Jane Doe.",
        "2 runs",
    ),
    "streaming": (
        "A span has a parent, a parent has a root.\ncompleted",
        "chat gpt-4o",
        "first token",
        "1 run: 1 completed",
    ),
    "function_calls": ("Paris is warmer.", "1 trace · 4 spans · 1 run: 1 completed"),
    "code_interpreter": ("ran: ", "x = 1.", "execute_tool code_interpreter", "1 run: 1 completed"),
    "files_and_search": ("In the air.", "['birds.txt']", "execute_tool file_search", "1 run: 1 completed"),
    "plain_script": (
        "x = 1.",
        "run_math_tutor",
        "create_assistant",
        "run_assistant",
        "invoke_agent Math Tutor",
        "get_response",
        "1 trace · 11 spans · 1 run: 1 completed",
    ),
    "chat_loop": (
        "> How warm is Paris?\n18 degrees.",
        "turn",
        "invoke_agent Helper",
        "execute_tool get_weather",
        "score answered",
        "2 runs: 2 completed",
    ),
    "worker_pool": (
        "job-2: 1 solved",
        "chain job-1",
        "chain solve",
        "2 traces · 14 spans · 3 runs: 3 completed",
    ),
    "fastapi_streaming": (
        "x = 1.",
        "chain ask",
        "chain answer",
        "invoke_agent Tutor",
        "first token",
        "1 trace · 6 spans · 1 run: 1 completed",
    ),
    "background_polled": (
        "completed: The outer bank",
        "chat gpt-4o",
        "Why do rivers bend?",
        "1 trace · 1 span",
    ),
    "background_resumed": ("A span has a parent", "chat gpt-4o", "first token", "1 trace · 1 span"),
    "background_functions": (
        "18 degrees.",
        "chain ask",
        "chat gpt-4o",
        "execute_tool get_weather",
        "chat gpt-4o",
        "1 trace · 4 spans",
    ),
    "background_webhook": ("The outer bank", "chat gpt-4o", "Why do rivers bend?", "1 trace · 1 span"),
    "async_service": ("Ann, ", "Ben, ", "Cem, ", "3 runs: 3 completed"),
}


@pytest.fixture(autouse=True)
def as_a_script(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("COLUMNS", "120")
    yield
    assert setup.current_handle() is None


def run(name: str) -> None:
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("name", SAID)
def test_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(name)
    said, at = capsys.readouterr().out, 0
    for part in SAID[name]:
        at = said.find(part, at)
        assert at >= 0, f"{part!r} is missing, or too early, in:\n{said}"
        at += len(part)


@pytest.mark.parametrize("name", few(SAID, lambda name: name in ("polling_tutor", "background_polled")))
def test_an_example_says_the_same_with_runspan_switched_off(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "render", lambda spans: None)  # it draws nothing then
    run(name)
    said = capsys.readouterr().out
    monkeypatch.setenv("RUNSPAN_ENABLED", "false")
    run(name)
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(
        said.splitlines()
    )  # of threads, in any order


def test_every_example_is_run_and_short() -> None:
    apart = {"playground", "test_my_assistant", "import_threads"}  # that: tests/importing/test_live_server.py
    found = {path.stem: path for path in EXAMPLES.glob("*.py")}
    assert found.keys() - apart == SAID.keys()
    assert [name for name in SAID if len(found[name].read_text("utf-8").splitlines()) >= 60] == []
