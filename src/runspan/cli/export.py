"""`runspan export`: threads out of the viewer's store, for evals, fine-tuning and conversations; or traces as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import click

from ..viewer import Store
from ..viewer.text import neutral
from ..viewer.thread_lines import Refusal, chat, items
from ..viewer.threads import Thread, threads
from ..viewer.web import otlp_json
from . import exits, selection
from .output import Problem, reason
from .selection import Selection, nothing
from .source import Source, opened

CHAT, ITEMS, OTLP = "chat", "items", "otlp"
_LINES: Mapping[str, Callable[[Thread, frozenset[str]], Iterator[str]]] = {CHAT: chat, ITEMS: items}


@click.command("export", short_help="Threads as chat JSONL or conversation items.")
@click.option(
    "--as",
    "form",
    type=click.Choice([CHAT, ITEMS, OTLP]),
    default=CHAT,
    show_default=True,
    help="chat: a thread a line, as fine-tuning and evals take it. items: of conversations, 20 a line. otlp: the traces.",
)
@click.option(
    "--to", type=click.Path(path_type=Path), metavar="FILE", help="A new file. [default: standard output]"
)
@click.option(
    "--drop",
    "dropped",
    multiple=True,
    metavar="NAME",
    help="Leave out parts of this name (such as server_tool_call) instead of refusing their threads.",
)
@selection.options
@click.argument("name", required=False, metavar="[FILE|TRACE_ID|RUN_ID]")
def command(
    form: str,
    to: Path | None,
    dropped: tuple[str, ...],
    selection: Selection,
    db: Path | None,
    name: str | None,
) -> None:
    """Write threads as lines of JSON: all messages of a thread, each once, with its function calls.

    Read is what `runspan tree` reads; the options choose runs, and the threads that hold any of these are written whole. A thread
    with a part that has no place in the form is refused, and the part named: chat knows no tools of the server, and nothing knows a
    text that was cut. Exit code 1: something was refused.

    \b
    Examples:
      runspan export --since 30d --to training.jsonl
      runspan export --thread thread_abc123 --as items
      runspan export --drop server_tool_call --drop server_tool_call_response
    """
    if form == OTLP and dropped:
        raise Problem("--drop is for chat and items; otlp leaves nothing out")
    with ExitStack() as stack:
        source = stack.enter_context(opened(name, db))
        with _output(to) as out:
            written, refused = _written(source, form, selection, frozenset(dropped), out)
            if not written and not refused:
                raise nothing(source, selection, "thread")
            if not written:
                raise _refused(refused)
    click.echo(f"{written:,} {'traces' if form == OTLP else 'threads'} written", err=True)
    if refused:
        raise _refused(refused)


def _refused(threads: int) -> Problem:
    return Problem(f"{threads:,} threads refused: --drop NAME leaves parts out", exits.NOT_WELL)


@contextmanager
def _output(to: Path | None) -> Iterator[TextIO]:
    """A file that is not written to its end is deleted: half of it would look like all, and stand in the way."""
    if to is None:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        yield sys.stdout
        return
    try:
        file = to.open("x", encoding="utf-8", errors="replace")
    except FileExistsError:
        raise Problem(f"{to} is there already: name a new file") from None
    except OSError as error:
        raise Problem(f"{to}: {reason(error)}") from None
    try:
        with file:
            yield file
    except BaseException as error:
        to.unlink()
        if isinstance(error, OSError):
            raise Problem(f"{to}: {reason(error)}") from None
        raise


def _written(
    source: Source, form: str, chosen: Selection, dropped: frozenset[str], out: TextIO
) -> tuple[int, int]:
    condition, values = chosen.where(source.trace)
    if form == OTLP:
        return _traces(source.store, condition, values, out), 0
    written = refused = 0
    for thread in threads(source.store, condition, values):
        try:
            lines = list(_LINES[form](thread, dropped))
        except Refusal as error:
            refused += 1
            click.echo(neutral(f"{thread.id}: {error}"), err=True)
            continue
        out.writelines(f"{line}\n" for line in lines)
        written += bool(lines)
    return written, refused


def _traces(store: Store, condition: str, values: tuple[object, ...], out: TextIO) -> int:
    where = f" WHERE {condition}" if condition else ""
    sql = f"SELECT lower(hex(trace)) FROM runs{where} GROUP BY trace ORDER BY min(start_ns)"  # noqa: S608 - ours
    written = 0
    for (trace,) in store.select(sql, values):
        if body := otlp_json.export(store.packed(trace)):
            out.write(body.decode() + "\n")
            written += 1
    return written
