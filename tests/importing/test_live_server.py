"""A server that is still alive, walked by the script in examples/: at a bounded rate, twice without a difference."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runspan.fake import Server, serve
from runspan.importing import Importer
from tests.support.children import PATIENCE_S, environment
from tests.support.playing import client_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "import_threads.py"


def threads_on(server: Server, runs: int = 2) -> list[str]:
    ids = []
    with client_of("OpenAI", server) as client:
        assistant = client.beta.assistants.create(model="gpt-4o", name="Tutor")
        for _ in range(2):
            thread = client.beta.threads.create(messages=[{"role": "user", "content": "6 times 7?"}])
            for _ in range(runs):
                client.beta.threads.runs.create_and_poll(
                    thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=1
                )
            ids.append(thread.id)
    return ids


def walked(server: Server, ids: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "ids.txt").write_text("\n".join(ids))
    where = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "none", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(EXAMPLE), "ids.txt", "traces.jsonl"]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(None, None, **where),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.mark.wide
def test_the_script_walks_the_threads_it_is_given(tmp_path: Path) -> None:
    with serve("text") as server:
        ids = threads_on(server)
        asked = len(server.requests)
        began = time.monotonic()
        first = walked(server, [ids[0], "thread_none", ids[1]], tmp_path)
        took = time.monotonic() - began
        requests = len(server.requests) - asked
        assert (first.returncode, first.stdout) == (0, "4 runs in traces.jsonl, 0 left out\n"), first.stderr
        assert first.stderr.startswith("thread_none: ")
        # Assistants; thread, messages, runs and two lists of steps; none. Old clients ask for an empty page behind the last.
        assert requests >= 1 + 2 * (3 + 2) + 1
        assert took >= requests / 5.0  # as it sleeps before each of them
        written = (tmp_path / "traces.jsonl").read_bytes()
        assert walked(server, ids[:1], tmp_path).returncode == 0
        assert (tmp_path / "traces.jsonl").read_bytes() == written


def test_the_script_is_short() -> None:
    assert len(EXAMPLE.read_text("utf-8").splitlines()) < 60


def test_a_page_is_all_that_its_list_holds() -> None:
    with serve("text") as server, client_of("OpenAI", server) as client:
        thread = client.beta.threads.create(messages=[{"role": "user", "content": str(n)} for n in range(30)])
        with Importer(dry_run=True) as importer:
            importer.add(client.beta.threads.messages.list(thread.id, limit=10))
            assert importer.finish().found == {"messages": 30}


def test_what_is_no_object_is_refused() -> None:
    async def page() -> Any:
        with serve("text") as server:
            client = client_of("AsyncOpenAI", server)
            thread = await client.beta.threads.create()
            found = await client.beta.threads.messages.list(thread.id)
            await client.close()
            return found

    with Importer(dry_run=True) as importer:
        for wrong in ("thread_1", 7, None, asyncio.run(page())):
            with pytest.raises(TypeError, match=r"add\(\) takes objects of an API"):
                importer.add(wrong)
