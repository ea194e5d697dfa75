"""`runspan run`: an app traced without a line of code in it."""

from __future__ import annotations

import click

from ..config import BACKENDS
from .app import App


@click.command(
    "run", short_help="Start an unchanged app traced.", context_settings={"allow_interspersed_args": False}
)
@click.option("-m", "is_module", is_flag=True, help="TARGET is a module, as for python -m.")
@click.option("--file", metavar="PATH", help="Write the traces to a file (OTLP JSON lines).")
@click.option("--endpoint", metavar="URL", help="Send the traces to this address, over OTLP/HTTP.")
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="Send the traces to this backend. Its own variables have address and keys.",
)
@click.option("--service-name", metavar="NAME", help="Name of the app in its traces.")
@click.option("--no-content", is_flag=True, help="Record no messages, arguments and results.")
@click.argument("target")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    is_module: bool,
    file: str | None,
    endpoint: str | None,
    backend: str | None,
    service_name: str | None,
    no_content: bool,
    target: str,
    arguments: tuple[str, ...],
) -> App:
    """Start an unchanged Python app with its runs traced.

    The app starts as with `python TARGET ARGUMENTS...`: its output, exit code and exceptions are the same. Everything after TARGET
    is passed to the app. All RUNSPAN_* and OTEL_* variables count; options beat them. If a setting is wrong, the app runs untraced,
    and the reason is on stderr. Without settings, traces go to localhost:4318, where `runspan ui` listens.

    If the app calls `runspan.instrument(...)` itself, the options of that call hold, unless an option here says otherwise.

    Forked processes of the app are traced, too; other programs that it starts are not.

    \b
    Examples:
      runspan run app.py --its own --options
      runspan run -m uvicorn shop:app --port 8000
      runspan run --file traces.jsonl app.py && runspan tree traces.jsonl
      runspan run --backend langfuse app.py
    """
    options = {"file": file, "endpoint": endpoint, "backend": backend, "service_name": service_name}
    given = {name: value for name, value in options.items() if value is not None}
    return App(target, arguments, is_module, {**given, **({"capture_content": False} if no_content else {})})
