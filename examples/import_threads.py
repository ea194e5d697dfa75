"""Traces of the threads of a server that is still alive: their ids from a file, five requests a second.

    python examples/import_threads.py thread_ids.txt traces.jsonl

No API lists all threads, so their ids come from your database or logs. Where the server is, and the key, say the client's own
variables: OPENAI_BASE_URL, OPENAI_API_KEY. Started again, it adds what is not in the file yet.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openai import APIStatusError, DefaultHttpxClient, OpenAI

from runspan.importing import Importer

REQUESTS_A_SECOND = 5.0


def paced() -> DefaultHttpxClient:
    """A client whose requests, pages and retries among them, keep a distance."""
    return DefaultHttpxClient(event_hooks={"request": [lambda _: time.sleep(1 / REQUESTS_A_SECOND)]})


def objects(client: OpenAI, thread_id: str) -> Iterator[Any]:
    """All that the server has of a thread. A list asks for its further pages by itself."""
    threads = client.beta.threads
    yield threads.retrieve(thread_id)
    yield from threads.messages.list(thread_id, order="asc", limit=100)
    for run in threads.runs.list(thread_id, order="asc", limit=100):
        yield run
        yield from threads.runs.steps.list(run.id, thread_id=thread_id, order="asc", limit=100)


def add(importer: Importer, client: OpenAI, thread_id: str) -> None:
    try:
        importer.add(list(objects(client, thread_id)))
    except APIStatusError as error:  # deleted, or of another project
        print(f"{thread_id}: {error.message}", file=sys.stderr)


def main(ids: list[str], file: str) -> None:
    with OpenAI(http_client=paced()) as client, Importer(file=file) as importer:
        importer.add(list(client.beta.assistants.list(limit=100)))
        for thread_id in ids:
            add(importer, client, thread_id)
        report = importer.finish()
    print(f"{report.runs} runs in {file}, {report.left_out} left out")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).read_text().split(), sys.argv[2])
