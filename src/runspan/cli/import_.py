"""`runspan import`: traces of runs that are over, out of archives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from ..config import BACKENDS, ConfigError
from ..importing import BusyError, Fault, Importer, NotDeliveredError, Report
from ..importing.sources import STDIN, Pipes
from ..viewer import NotOurFileError
from ..viewer.text import neutral
from . import exits
from .import_targets import OTLP, VIEWER, StoreExporter, state_path
from .output import Problem, reason, say_json, shown
from .progress import progress
from .units import Moment


@click.command("import", short_help="Make traces from archives of past runs.")
@click.option(
    "--to",
    default=VIEWER,
    show_default=True,
    metavar="viewer|otlp|FILE",
    help="Where to: the viewer's store, OTLP by the variables of an app, or a file of traces to add to.",
)
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    metavar="NAME",
    help=f"OTLP to a backend, by its own variables: {', '.join(BACKENDS)}.",
)
@click.option(
    "--since", type=Moment(), metavar="TIME", help="Runs from a date on (2026-01-31), or of the last 30d."
)
@click.option(
    "--thread",
    "threads",
    multiple=True,
    metavar="ID",
    help="Runs of this thread. Can be repeated.",
)
@click.option(
    "--dry-run", is_flag=True, help="Count what is there and report what cannot be read; deliver nothing."
)
@click.option("--no-content", is_flag=True, help="Leave out messages, arguments and results.")
@click.option(
    "--provider",
    type=click.Choice(["openai", "azure.ai.openai"]),
    default="openai",
    show_default=True,
    metavar="NAME",
    help="Provider of the runs, openai or azure.ai.openai: prices depend on it.",
)
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File of the viewer's store. [default: in your data folder]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.argument("names", nargs=-1, required=True, metavar="PATH...")
def command(
    to: str,
    backend: str | None,
    since: float | None,
    threads: tuple[str, ...],
    dry_run: bool,
    no_content: bool,
    provider: str,
    db: Path | None,
    as_json: bool,
    names: tuple[str, ...],
) -> None:
    """Make traces of runs that have ended.

    PATH is a file, a folder with all below it, a pipe, or `-` for standard input. Content tells what is in it, mixed as it may be:
    exported threads, objects and pages of lists as JSON or JSON lines, lines of messages, responses, conversations with items,
    and recordings of traffic. The ids of spans are made of the ids of the runs, so a second import changes nothing. What can't be
    read is said in one line each; the rest is imported. An import that was interrupted goes on when it is started again.

    \b
    Examples:
      runspan import exports/ && runspan ui
      runspan import exports/ --dry-run
      runspan import threads.jsonl --to traces.jsonl --since 2026-01-01
      runspan import exports/ --backend langfuse
    """
    if "" in names:  # of a variable that is not set; Python would take the folder where the user is
        raise Problem("a PATH is empty: name a file or a folder")
    if db is not None and (to != VIEWER or backend is not None):
        raise Problem("--db is for --to viewer")
    to = to.lower() if to.lower() in (VIEWER, OTLP) else to
    to = OTLP if backend is not None and to == VIEWER else to
    paths = tuple(map(Path, names))
    options: dict[str, Any] = {
        "backend": backend,
        "since": since,
        "threads": threads,
        "provider": provider,
        "capture_content": False if no_content else None,
    }
    choices = {
        "to": to if to in (VIEWER, OTLP) else str(Path(to).absolute()),
        "db": db,
        **options,
        "since": bool(since),
    }
    what = ", ".join(map(str, paths[:3])) + (" ..." if len(paths) > 3 else "")
    with ExitStack() as stack:
        stack.enter_context(_told(what))
        is_kept = _can_be_read_again(paths) and not dry_run
        options["state"] = state_path(paths, **choices) if is_kept else None
        if not dry_run and to == VIEWER:
            options["exporter"] = StoreExporter(db)
        elif not dry_run and to != OTLP:
            options["file"] = to
        seen = stack.enter_context(progress(f"importing {what}", "runs"))
        importer = stack.enter_context(Importer(dry_run=dry_run, on_fault=_say, on_progress=seen, **options))
        importer.read(*paths)
        report = importer.finish()
    _report(report, to, dry_run=dry_run, as_json=as_json)
    if report.left_out or report.rejected:
        refused = f"; the receiver refused {report.rejected:,} spans" if report.rejected else ""
        raise Problem(f"{report.left_out:,} left out{refused}", exits.NOT_WELL)
    if not report.runs and (threads or not report.skipped):
        of = f" of thread {' or '.join(map(shown, threads))}" if threads else ""
        raise Problem(f"there is no run{of} in {what}", exits.NOT_WELL)


def _can_be_read_again(paths: tuple[Path, ...]) -> bool:
    """Standard input and pipes can't, so there is nothing to go on with. Raises OSError for what is not there."""
    for path in paths:
        if str(path) != STDIN:
            path.stat()
    return not any(map(Pipes.is_one, paths))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What ends an import, in one line."""
    try:
        yield
    except NotDeliveredError as error:
        cure = f" {error}" if str(error) else ""
        raise Problem(
            f"not delivered.{cure} Start the same command again to go on from here.", exits.NOT_WELL
        ) from None
    except (ConfigError, NotOurFileError, BusyError) as error:
        raise Problem(str(error)) from None
    except KeyboardInterrupt:
        raise Problem(
            "stopped. Start the same command again to go on from here.", exits.INTERRUPTED
        ) from None
    except FileNotFoundError as error:
        raise Problem(f"can't find {error.filename or what}") from None
    except OSError as error:
        raise Problem(f"{error.filename or what}: {reason(error)}") from None


def _say(fault: Fault) -> None:
    click.echo(neutral(str(fault)), err=True)


def _report(report: Report, to: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "found": report.found,
                "runs": report.runs,
                "spans": report.spans,
                "skipped": report.skipped,
                "rejected": report.rejected,
                "left_out": report.left_out,
                "dry_run": dry_run,
            }
        )
        return
    found = ", ".join(f"{number:,} {what}" for what, number in report.found.items())
    click.echo(f"Found:     {found or 'nothing'}")
    where = "would be imported" if dry_run else f"imported into {_shown(to)}"
    click.echo(f"Imported:  {report.runs:,} runs with {report.spans:,} spans {where}")
    if report.skipped:
        click.echo(
            f"Skipped:   {report.skipped:,} runs: delivered before, or left out by --since and --thread"
        )


def _shown(to: str) -> str:
    return {VIEWER: "the viewer: runspan ui", OTLP: "the OTLP receiver"}.get(to, to)
