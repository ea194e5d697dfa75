"""What the recipes' tests share: a page's files in a folder, and what a child of theirs needs to know."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runspan.fake import Server
from tests.support.children import PATIENCE_S, environment
from tests.support.pages import DOCS, blocks_of
from tests.support.receiver import Receiver

QUIET = ("-W", "ignore")


def files_of(page: str) -> dict[str, str]:
    """The named blocks of a page of docs/, by the name of the file."""
    blocks = blocks_of(DOCS / page)
    return {block.title: block.source for block in blocks if block.language == "python" and block.title}


def written(files: dict[str, str], folder: Path) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def env_of(server: Server, receiver: Receiver, **more: str) -> dict[str, str]:
    return environment(
        None,
        receiver,
        OPENAI_BASE_URL=server.base_url,
        OPENAI_API_KEY="none",
        OTEL_SERVICE_NAME="recipe",
        **more,
    )


def run(folder: Path, env: dict[str, str], *arguments: str) -> str:
    """`python ARGUMENTS...` in the folder, to its end."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
