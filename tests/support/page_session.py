"""A page of the documentation as a reader follows it: files are written, commands run, and outputs are compared.

    python -m tests.support.page_session PAGE FOLDER

Blocks run in their order, in FOLDER, with one environment. A `sh` block with "terminal" in its title runs in the background. A
`text` block right after one is its output: times, ids and bars may differ. `your_app.py` is there where the page does not make it.
The usual ports are used, so this runs on a network of its own (`own_network`). Ends with 1 and the difference.
"""

from __future__ import annotations

import difflib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runspan import fake
from tests.support import receiver

from .pages import ROOT, Block, blocks_of

WAIT_S = 60.0
PORT = 4318
YOUR_APP = """
import warnings
from openai import OpenAI
import runspan

warnings.filterwarnings("ignore", category=DeprecationWarning)
runspan.instrument()
with OpenAI() as client:
    tutor = client.beta.assistants.create(model="gpt-4o", name="Math Tutor", instructions="Be brief.")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Please solve 3x + 11 = 14."}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=tutor.id)
    client.beta.threads.messages.list(thread.id)
"""
# What differs from one time to the next, and what it becomes.
CHANGING = (
    (re.compile(r"\b(?:[0-9a-f]{32}|(?:run|thread|resp|asst)_[0-9a-f]+)\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? UTC"), "DATE"),
    (re.compile(r"~?[-+]?[\d.]+( ± [\d.]+)? (µs|ms|s|min)\b"), "TIME"),
    (re.compile(r"(completed|failed) in TIME\b"), r"\1"),  # left out where the span's own length says it
    (re.compile(r"\d+ polls?\b"), "POLLS"),
    (re.compile(r"[━─├┤│└]+"), " "),
    (re.compile(r"/\S*/([\w.-]+)"), r"/\1"),
)


def normal(text: str) -> list[str]:
    for pattern, constant in CHANGING:
        text = pattern.sub(constant, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def difference(expected: str, got: str) -> str:
    """Empty where they are the same but for what changes; a line `...` stands for any number of lines.

    Times have other widths each time, so lines may break elsewhere: words are compared.
    """
    wanted, had = normal(expected), normal(got)
    pattern = " ".join(".*" if line == "..." else re.escape(line) for line in wanted)
    pattern = pattern.replace(".* ", r"(?:.* )?").replace(r" .*", r"(?: .*)?")
    if re.fullmatch(pattern, " ".join(had)):
        return ""
    return "\n".join(difflib.unified_diff(wanted, had, "the page", "what came", lineterm=""))


class Session:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vars = folder / ".vars"
        self.vars.write_text("")
        self.running: list[tuple[subprocess.Popen[str], Path]] = []

    def run(self, block: Block) -> str:
        script = f"set -eo pipefail\nsource .vars\n{block.source}\nexport -p > .vars"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WAIT_S,
        )
        if done.returncode:
            raise SystemExit(f"{block.place}: exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def begin(self, block: Block) -> Path:
        log = self.folder / f".log{len(self.running)}"
        with log.open("w") as out:
            child = subprocess.Popen(
                ["bash", "-c", f"source .vars\n{block.source}"],
                cwd=self.folder,
                stdout=out,
                stderr=out,
                text=True,
                start_new_session=True,  # Ctrl-C reaches the whole group, as in a terminal
            )
        self.running.append((child, log))
        deadline_s = time.monotonic() + WAIT_S
        while not log.read_text() and child.poll() is None and time.monotonic() < deadline_s:
            time.sleep(0.1)
        time.sleep(0.3)  # the rest of its first lines
        return log

    def end(self) -> None:
        for child, _ in self.running:
            os.killpg(child.pid, signal.SIGINT)
        for child, log in self.running:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
            if "Traceback" in log.read_text():
                raise SystemExit(log.read_text())


def play(page: Path, folder: Path) -> None:
    blocks = blocks_of(page)
    session = Session(folder)
    with _surroundings(blocks, folder):
        try:
            output: str | Path | None = None
            for before, block in zip([blocks[0], *blocks], blocks, strict=False):
                if block.language == "python" and block.title:
                    (folder / block.title).write_text(block.source)
                elif block.language == "sh" and not block.reason:
                    output = session.begin(block) if "terminal" in block.title else session.run(block)
                    continue
                elif block.language == "text" and output is not None and block.is_right_after(before):
                    got = output if isinstance(output, str) else output.read_text()
                    if wrong := difference(block.source, got):
                        raise SystemExit(f"{block.place}:\n{wrong}\n\n{got}")
                output = None
        finally:
            session.end()


@contextmanager
def _surroundings(blocks: list[Block], folder: Path) -> Iterator[None]:
    """A server and a receiver, unless the page starts its own."""
    commands = "".join(block.source for block in blocks if block.language == "sh" and not block.reason)
    if not any(block.title == "your_app.py" for block in blocks):
        (folder / "your_app.py").write_text(YOUR_APP)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ |= {"PYTHONUNBUFFERED": "1", "XDG_DATA_HOME": str(folder / "data"), "COLUMNS": "80"}
    os.environ["RUNSPAN_PRICES"] = "false"  # an app without the extra [cost]
    with ExitStack() as stack:
        if "runspan fake" not in commands:
            server = stack.enter_context(fake.serve("text"))
            os.environ |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "none"}
        if "runspan ui" not in commands:
            stack.enter_context(receiver.serve(port=PORT))
        yield


if __name__ == "__main__":
    play(ROOT / sys.argv[1], Path(sys.argv[2]))
