"""`runspan demo` and `make demo`: the main job, without a key and without a network.

Plays the conversations of `scene` with the fake server through the official client. Their spans are shown in the viewer, where they
come over OTLP/HTTP, or drawn in the terminal.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import runspan

from ..observing.console import draw
from ..viewer import HTTP_PORT, PortBusyError
from . import briefing, exits, scene
from .needed import viewer_serve
from .output import Problem, reason
from .units import Port
from .waiting import stopping

if TYPE_CHECKING:
    from ..viewer import Viewer

SERVICE = "runspan-demo"
NEXT = """
This is what one line did:  runspan.instrument()
Next: install runspan[ui] where your app runs. Start `runspan ui` (or any OTLP backend on localhost:4318), and then your
app: with that line in it, or unchanged by `runspan run app.py`."""


@click.command("demo", short_help="Play example conversations and show them.")
@click.option(
    "--terminal", is_flag=True, help="Draw a few of them in the terminal and end, without the viewer."
)
@click.option(
    "--port", type=Port(), help="Port of the viewer; 0: a free one. [default: 4318, else a free one]"
)
@click.option("--open", "is_opened", is_flag=True, help="Open the viewer in a browser.")
def command(terminal: bool, port: int | None, is_opened: bool) -> None:
    """Play conversations of a sample app and show their traces: no key, no network, nothing to set up.

    One process has a fake server, an app that uses it through the official client (runs of assistants, and a background Response),
    and the viewer, until Ctrl-C. The store is temporary.

    \b
    Examples:
      runspan demo
      runspan demo --terminal
    """
    warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated$")
    try:
        _in_terminal() if terminal else _in_viewer(port, is_opened)
    except PortBusyError as error:
        raise Problem(str(error), exits.NOT_WELL) from None
    except OSError as error:
        raise Problem(f"demo: {reason(error)}", exits.NOT_WELL) from None


def _in_terminal() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({SERVICE_NAME: SERVICE}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    _play(_with_briefing(scene.FEW), tracer_provider=provider)
    click.echo()
    draw(kept.get_finished_spans())
    click.echo(NEXT)


def _in_viewer(port: int | None, is_opened: bool) -> None:
    """A store of its own, so that the demo's runs stay out of the user's."""
    with (
        tempfile.TemporaryDirectory(prefix="runspan-demo-") as folder,
        _viewer(Path(folder) / "traces.db", port) as viewer,
    ):
        click.echo(f"The viewer is open: {viewer.url}\n")
        if is_opened:
            click.launch(viewer.url)
        talks = _with_briefing(scene.TALKS)
        _play(talks, endpoint=viewer.endpoint, service_name=SERVICE, set_global=True)
        until_stopped = stopping()
        click.echo(f"\nNow look at {viewer.url} (Ctrl-C ends it)")
        until_stopped()


def _with_briefing(talks: Sequence[scene.Held]) -> Sequence[scene.Held]:
    """A Response in the background beside the runs of assistants, if the client knows them."""
    return (*talks, briefing.Briefing()) if briefing.is_known() else talks


def _play(talks: Sequence[scene.Held], **where: Any) -> None:
    runs = sum(talk.runs for talk in talks)
    click.echo(f"A sample app talks to a fake server through the openai client: {runs} runs, a few seconds.")
    scene.warm_up()
    runspan.instrument(**where, prices=scene.PRICES)
    try:
        scene.play(click.echo, talks)
    finally:
        runspan.uninstrument()


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
