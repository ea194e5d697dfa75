"""What people have of a server: threads exported object by object, as public scripts write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MADE_AT = "2026-08-20T10:00:00+00:00"


def plain(obj: Any) -> Any:
    """As the wire has it."""
    return obj.model_dump(mode="json", warnings=False) if hasattr(obj, "model_dump") else obj


def thread_export(client: Any, thread_id: str) -> dict[str, Any]:
    """`assistants-thread-export/v1` of one thread."""
    threads = client.beta.threads
    runs = []
    for run in threads.runs.list(thread_id, order="asc"):
        steps = [plain(step) for step in threads.runs.steps.list(run.id, thread_id=thread_id, order="asc")]
        runs.append({**plain(run), "steps": steps})
    return {
        "export_schema": "assistants-thread-export/v1",
        "thread_id": thread_id,
        "exported_at": MADE_AT,
        "thread": plain(threads.retrieve(thread_id)),
        "messages": [plain(m) for m in threads.messages.list(thread_id, order="asc")],
        "runs": runs,
        "files": {},
        "errors": [],
    }


def write_layout(folder: Path, threads: Iterable[Mapping[str, Any]], assistants: Iterable[Any] = ()) -> Path:
    """The public layout: manifest, assistants, one file a thread."""
    (folder / "threads").mkdir(parents=True, exist_ok=True)
    for thread in threads:
        write(folder / "threads" / f"{thread['thread_id']}.json", thread)
    write(folder / "assistants.json", [plain(a) for a in assistants])
    write(folder / "manifest.json", {"export_schema": "assistants-export-manifest/v1", "threads_failed": []})
    return folder


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    return path


def write_lines(path: Path, values: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path
