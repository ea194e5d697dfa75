"""The run model, the runtime and the clients speak no API's language: its words stand in its package under `apis/`."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "runspan"
NEUTRAL = ("core", "runtime", "clients")
WORDS = re.compile(
    r"requires_action|required_action|submit_tool_outputs|in_progress|last_error|incomplete_details|step_details"
    r"|thread\.(run|message|created)|thread_id|assistant_id|vector_store_ids|asst_|/threads|/assistants|OpenAI-Beta|assistants="
    r"|response\.(completed|created|output)|/responses|previous_response_id"
)


def test_no_api_s_word_stands_outside_its_package() -> None:
    paths = sorted(p for part in NEUTRAL for p in (SOURCE / part).rglob("*.py"))
    assert len(paths) > 50
    assert [
        f"{path.relative_to(SOURCE)}:{n}: {line.strip()}"
        for path in paths
        for n, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if WORDS.search(line)
    ] == []
