"""`runspan ui`: the local viewer, until it is stopped."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from ..viewer import GRPC_PORT, HTTP_PORT, NotOurFileError, PortBusyError
from ..viewer.ports import check_free, is_loopback
from ..viewer.text import neutral
from . import exits
from .needed import viewer_serve
from .output import NO_LISTENING, Problem, reason, say_json
from .units import Port
from .waiting import stopping

if TYPE_CHECKING:
    from ..viewer import Viewer


@click.command("ui", short_help="The viewer: traces in a browser.")
@click.option(
    "--port",
    type=Port(),
    default=HTTP_PORT,
    show_default=True,
    help="Port of the pages and of OTLP/HTTP; 0: a free one.",
)
@click.option(
    "--grpc-port",
    type=Port(),
    help=f"Port of OTLP/gRPC; 0: a free one. [default: {GRPC_PORT}, if it is free]",
)
@click.option("--no-grpc", is_flag=True, help="Receive OTLP over HTTP only.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Beyond loopback, a token is required.",
)
@click.option(
    "--token",
    envvar="RUNSPAN_UI_TOKEN",
    show_envvar=True,
    metavar="TEXT",
    help="Access token for browsers and exporters. Generated if needed.",
)
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="Another allowed name in the Host header."
)
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File of the store. [default: in your data folder]",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the viewer in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(
    port: int,
    grpc_port: int | None,
    no_grpc: bool,
    host: str,
    token: str | None,
    hosts: tuple[str, ...],
    db: Path | None,
    is_opened: bool,
    as_json: bool,
    files: tuple[Path, ...],
) -> None:
    """Show traces in a browser, until Ctrl-C.

    It receives OTLP over HTTP on port 4318 and over gRPC on port 4317, the ports that exporters use by default: start it, start
    your app, and look. Traces stay in your data folder. With FILES (OTLP JSON lines, JSON or protobuf) it shows these, in a store
    that is deleted at the end, or adds them to the store that --db names.

    \b
    Examples:
      runspan ui
      runspan ui --port 4319        then: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4319 python app.py
      runspan ui traces.jsonl --port 0 --open
      runspan ui --host 0.0.0.0     for other machines, behind a token
    """
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    serve = viewer_serve()
    try:
        grpc_port = None if no_grpc else _grpc_port(host, port, grpc_port)
        with serve(host, port, db, token, files, hosts=hosts, grpc_port=grpc_port, note=_note) as viewer:
            until_stopped = stopping()
            _tell(viewer, token, as_json)
            if is_opened:
                click.launch(viewer.url)
            until_stopped()
    except PortBusyError as error:
        raise Problem(str(error), exits.NOT_WELL) from None
    except (ValueError, NotOurFileError) as error:
        raise Problem(str(error)) from None
    except OSError as error:
        raise Problem(NO_LISTENING.format(f"{host}:{port}", reason(error)), exits.NOT_WELL) from None


def _note(said: str) -> None:
    click.echo(neutral(said), err=True)


def _grpc_port(host: str, port: int, asked: int | None) -> int | None:
    """The port that was asked for, else the usual one; None, said in one line, where another program has that."""
    if asked is not None:
        return asked
    if port == 0:
        return 0
    try:
        check_free(host, GRPC_PORT)
    except PortBusyError as error:
        click.echo(f"Receives OTLP over HTTP only: {error} (--grpc-port names another one).", err=True)
        return None
    return GRPC_PORT


def _tell(viewer: Viewer, token: str | None, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "url": viewer.url,
                "endpoint": viewer.endpoint,
                "grpc_endpoint": viewer.grpc_endpoint,
                "db": str(viewer.store.path),
            }
        )
        return
    click.echo(f"The viewer is open: {viewer.url}")
    click.echo(f"Exporters, HTTP:    OTEL_EXPORTER_OTLP_ENDPOINT={viewer.endpoint}")
    if viewer.grpc_endpoint is not None:
        click.echo(f"Exporters, gRPC:    OTEL_EXPORTER_OTLP_ENDPOINT={viewer.grpc_endpoint}")
    if token:
        given = quote(f"Bearer {token}", safe="")
        click.echo(f'Their token:        OTEL_EXPORTER_OTLP_HEADERS="Authorization={given}"')
    click.echo(f"Kept in:            {viewer.store.path}    (Ctrl-C ends it)")
