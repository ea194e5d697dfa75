"""`runspan demo` and `make demo`: the main job, without a key and without a network.

Plays conversations with the fake server, or a recording of real traffic, through the official client; spans travel over real
OTLP/HTTP, and what arrived is shown: in the viewer, or drawn in the terminal.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

import runspan

from ..viewer import HTTP_PORT, PortBusyError, receiver, tree
from . import recording, scene, tutor
from .needed import viewer_serve
from .output import Problem
from .play import play
from .units import Port
from .waiting import stopping

if TYPE_CHECKING:
    from ..viewer import Viewer

PACE_S = 0.03  # for each recorded answer: the recordings keep no times

NEXT = """
This is what one line did:  runspan.instrument()
Next: start `runspan ui` (or any OTLP backend on localhost:4318) and run your own app with that line in it, or with
`runspan run app.py`."""


@click.command("demo", short_help="Example conversations, shown.")
@click.option("--terminal", is_flag=True, help="Draw it here and end, without the viewer.")
@click.option(
    "--port", type=Port(), help="Of the viewer; 0 takes a free one. [default: 4318, else a free one]"
)
@click.option("--open", "is_opened", is_flag=True, help="Open the viewer in a browser.")
@click.argument("recording", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(recording: Path | None, terminal: bool, port: int | None, is_opened: bool) -> None:
    """Play conversations of a sample app and show them: no key, no network, nothing to set up.

    A fake Assistants server, an app that talks to it through the official client, and the viewer, in one process, until Ctrl-C.
    The store is a temporary one. RECORDING plays recorded API traffic instead: one {"request", "response"} a line.

    \b
    Examples:
      runspan demo
      runspan demo --terminal
    """
    warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated$")
    try:
        _in_terminal(recording) if terminal else _in_viewer(recording, port, is_opened)
    except (OSError, ValueError) as error:
        raise Problem(f"demo: {error}") from None


def _in_terminal(path: Path | None) -> None:
    with receiver.serve() as received:
        runspan.instrument(endpoint=received.endpoint, service_name="runspan-demo", set_global=True)
        try:
            if path is None:
                tutor.hold_conversation(click.echo)
            else:
                _play(path)
        finally:
            runspan.uninstrument()
        click.echo()
        tree.render(received.spans)
    click.echo(NEXT)


def _in_viewer(path: Path | None, port: int | None, is_opened: bool) -> None:
    """A store of its own, so that the demo's runs stay out of the user's."""
    with (
        tempfile.TemporaryDirectory(prefix="runspan-demo-") as folder,
        _viewer(Path(folder) / "traces.db", port) as viewer,
    ):
        click.echo(f"The viewer is open: {viewer.url}\n")
        if is_opened:
            click.launch(viewer.url)
        runspan.instrument(
            endpoint=viewer.endpoint, service_name="runspan-demo", set_global=True, prices=scene.PRICES
        )
        try:
            if path is None:
                scene.play(click.echo)
            else:
                _play(path)
        finally:
            runspan.uninstrument()
        until_stopped = stopping()
        click.echo(f"\nNow look at {viewer.url} (Ctrl-C ends it)")
        until_stopped()


@contextmanager
def _viewer(db: Path, port: int | None) -> Iterator[Viewer]:
    """On the port that was asked for, else on the usual one, else on a free one."""
    serve = viewer_serve()
    with ExitStack() as stack:
        try:
            viewer = stack.enter_context(serve(port=HTTP_PORT if port is None else port, db=db))
        except PortBusyError:
            if port is not None:
                raise
            viewer = stack.enter_context(serve(port=0, db=db))
        yield viewer


def _play(path: Path) -> None:
    import openai

    exchanges = recording.load(path)
    is_azure = any(exchange["request"]["path"].startswith("/openai/") for exchange in exchanges)
    click.echo(f"Playing {path.name}: {len(exchanges)} recorded calls through openai {openai.__version__}\n")
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
                click.echo(f"  {line}")
            runspan.flush()
