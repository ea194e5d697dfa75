"""`make demo`: the main job, without a key and without a network.

Plays a conversation with the fake server, or a recording of real traffic, through the official client; spans travel over real
OTLP/HTTP to a receiver on loopback, and what arrived there is drawn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import runspan
from runspan.cli import recording, scene, tutor
from runspan.cli.play import play
from runspan.viewer import DEFAULT_PORT, PortBusyError, Viewer, receiver, serve, tree

PACE_S = 0.03  # for each recorded answer: the recordings keep no times

NEXT = """
This is what one line did:  runspan.instrument()
Next: start Jaeger (or any OTLP backend) on localhost:4318 and run your own app with that line in it."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("recording", nargs="?", type=Path, help="a .jsonl file of recorded API traffic")
    parser.add_argument("--ui", action="store_true", help="show it in the viewer, until Ctrl-C")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated$")
    return _in_viewer(options.recording) if options.ui else _in_terminal(options.recording)


def _in_terminal(path: Path | None) -> int:
    with receiver.serve() as received:
        runspan.instrument(endpoint=received.endpoint, service_name="runspan-demo", set_global=True)
        try:
            if path is None:
                tutor.hold_conversation(print)
            else:
                _play(path)
        except (OSError, ValueError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 2
        finally:
            runspan.uninstrument()
        print()
        tree.render(received.spans)
    print(NEXT)
    return 0


def _in_viewer(path: Path | None) -> int:
    """A store of its own, so that the demo's runs stay out of the user's."""
    with (
        tempfile.TemporaryDirectory(prefix="runspan-demo-") as folder,
        _viewer(Path(folder) / "traces.db") as viewer,
    ):
        print(f"The viewer is open: {viewer.url}\n", flush=True)
        runspan.instrument(endpoint=viewer.endpoint, service_name="runspan-demo", set_global=True)
        try:
            if path is None:
                scene.play(print)
            else:
                _play(path)
        except (OSError, ValueError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 2
        finally:
            runspan.uninstrument()
        print(f"\nNow look at {viewer.url} (Ctrl-C ends it)", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()
    return 0


@contextmanager
def _viewer(db: Path) -> Iterator[Viewer]:
    """On the usual port, else on a free one."""
    with ExitStack() as stack:
        try:
            viewer = stack.enter_context(serve(port=DEFAULT_PORT, db=db))
        except PortBusyError:
            viewer = stack.enter_context(serve(port=0, db=db))
        yield viewer


def _play(path: Path) -> None:
    import openai

    exchanges = recording.load(path)
    is_azure = any(exchange["request"]["path"].startswith("/openai/") for exchange in exchanges)
    print(f"Playing {path.name}: {len(exchanges)} recorded calls through openai {openai.__version__}\n")
    with recording.served(exchanges, PACE_S) as base_url:
        client: openai.OpenAI
        if is_azure:
            endpoint = base_url.removesuffix("/v1")
            client = openai.AzureOpenAI(
                api_key="none", azure_endpoint=endpoint, api_version="2024-05-01-preview", max_retries=0
            )
        else:
            client = openai.OpenAI(api_key="none", base_url=base_url, max_retries=0)
        with client:
            for line in play(client, exchanges):
                print(f"  {line}")
            runspan.flush()


if __name__ == "__main__":
    sys.exit(main())
