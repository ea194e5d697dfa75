"""`runspan ui`: the local viewer, until it is stopped."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from ..viewer import DEFAULT_PORT, NotOurFileError, PortBusyError, Viewer, serve
from ..viewer.web.safety import is_loopback
from . import exits
from .output import Problem, say_json
from .waiting import until_stopped


@click.command("ui", short_help="The viewer: traces in a browser.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="0 takes a free one.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Any but loopback asks for a token.",
)
@click.option(
    "--token",
    envvar="RUNSPAN_UI_TOKEN",
    show_envvar=True,
    metavar="TEXT",
    help="What readers and senders must know. Made up where it is needed and not given.",
)
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="One more name for the Host header."
)
@click.option(
    "--db", type=click.Path(path_type=Path), metavar="PATH", help="The store, if not in your data folder."
)
@click.option("--open", "is_opened", is_flag=True, help="Open it in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(
    port: int,
    host: str,
    token: str | None,
    hosts: tuple[str, ...],
    db: Path | None,
    is_opened: bool,
    as_json: bool,
    files: tuple[Path, ...],
) -> None:
    """Show traces in a browser, until Ctrl-C.

    It takes OTLP over HTTP on port 4318, where exporters send that were told nothing: start it, start your app, and look. Traces
    stay in your data folder. With FILES (OTLP JSON lines, JSON or protobuf) it shows these, in a store that goes away with it, or
    adds them to the one that --db names.

    \b
    Examples:
      runspan ui
      runspan ui --port 4319        then: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4319 python app.py
      runspan ui traces.jsonl --port 0 --open
      runspan ui --host 0.0.0.0     for other machines, behind a token
    """
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    try:
        with serve(host, port, db, token, files, hosts=hosts) as viewer:
            _tell(viewer, token, as_json)
            if is_opened:
                click.launch(viewer.url)
            until_stopped()
    except PortBusyError as error:
        raise Problem(str(error), exits.NOT_WELL) from None
    except (ValueError, NotOurFileError) as error:
        raise Problem(str(error)) from None
    except OSError as error:
        raise Problem(f"can't listen on {host}:{port}: {error.strerror or error}", exits.NOT_WELL) from None


def _tell(viewer: Viewer, token: str | None, as_json: bool) -> None:
    if as_json:
        say_json({"url": viewer.url, "endpoint": viewer.endpoint, "db": str(viewer.store.path)})
        return
    click.echo(f"The viewer is open: {viewer.url}")
    click.echo(f"Senders:            OTEL_EXPORTER_OTLP_ENDPOINT={viewer.endpoint}")
    if token is not None:
        click.echo(f'                    OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20{token}"')
    click.echo(f"Kept in:            {viewer.store.path}    (Ctrl-C ends it)")
