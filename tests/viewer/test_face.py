from __future__ import annotations

import subprocess
import sys

import pytest

import runspan.viewer as viewer


def test_the_face_is_what_it_says() -> None:
    assert viewer.__all__ == sorted(viewer.__all__, key=lambda name: (not name.isupper(), name))
    assert all(getattr(viewer, name) is not None for name in viewer.__all__)
    with pytest.raises(AttributeError, match="nothing_of_it"):
        _ = viewer.nothing_of_it


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_without_the_extra_there_is_one_line_that_says_what_to_install() -> None:
    program = "import sys; sys.modules['uvicorn'] = None\nimport runspan.viewer\nrunspan.viewer.serve"
    said = "ModuleNotFoundError: the viewer needs uvicorn: pip install 'runspan[ui]' (in a clone: pip install '.[ui]')"
    assert run(program).strip().endswith(said)


def test_the_receiver_and_the_store_need_no_extra() -> None:
    program = (
        "import sys\nfor name in ('uvicorn', 'starlette', 'jinja2', 'grpc', 'openai'): sys.modules[name] = None\n"
        "from runspan.viewer import Store, tree; print('fine')"
    )
    assert run(program).strip() == "fine"


def test_looking_at_the_face_imports_nothing_of_the_rest() -> None:
    program = (
        "import sys, runspan.viewer; from runspan.viewer import serve\n"
        "print(sorted(n for n in sys.modules if n.startswith('runspan.') and not n.startswith('runspan.viewer')))"
    )
    assert run(program).strip() == "['runspan._version']"  # the package's own, before any of it is asked for
