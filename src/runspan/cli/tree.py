"""`runspan tree`: traces as trees in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..viewer.forest import Trace, grow
from ..viewer.kinds import is_error, word
from ..viewer.spans import Span
from . import selection
from .output import say_json
from .selection import Selection, nothing
from .source import Source, opened


@click.command("tree", short_help="Traces as trees in the terminal.")
@selection.options
@click.option(
    "--last",
    type=click.IntRange(1),
    metavar="N",
    default=10,
    show_default=True,
    help="Number of traces, the newest ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line for each trace.")
@click.argument("source", metavar="[FILE|TRACE_ID|RUN_ID]", required=False)
def command(source: str | None, selection: Selection, db: Path | None, last: int, as_json: bool) -> None:
    """Draw traces as trees, the newest last.

    FILE is a file of `instrument(file=...)`, RUNSPAN_FILE or a Collector (OTLP JSON or protobuf), `-` for standard input, or a
    store of the viewer. The beginning of a TRACE_ID is enough. Without a FILE, the store of `runspan ui` is read. The options
    choose runs; traces with such a run are drawn whole.

    \b
    Examples:
      runspan tree traces.jsonl
      runspan tree traces.jsonl --status failed --last 3
      runspan tree 4f3c0a7d
      runspan tree run_abc123
      runspan tree --assistant tutor --min-duration 5s --since 8h
      runspan tree traces.jsonl --json | jq '.spans[] | select(.kind == "llm") | .attributes'
    """
    with opened(source, db) as found:
        traces, more = _chosen(found, selection, last)
        if not traces:
            raise nothing(found, selection, "trace")
        if as_json:
            for trace in traces:
                _say(found, trace)
        else:
            _draw(found, traces)
    if more:
        click.echo(f"{more} older not shown: --last {more + len(traces)} shows all.", err=True)


def _chosen(source: Source, chosen: Selection, last: int) -> tuple[list[str], int]:
    """The ids of the newest `last` traces, oldest first, and how many more there are."""
    terms: list[str] = []
    values: list[object] = []
    where, of_runs = chosen.where()
    if where:
        terms.append(f"trace IN (SELECT trace FROM runs WHERE {where})")  # noqa: S608 - conditions of ours
        values.extend(of_runs)
    if source.trace is not None:
        terms.append("trace = ?")
        values.append(bytes.fromhex(source.trace))
    condition = f" WHERE {' AND '.join(terms)}" if terms else ""
    count = source.store.select(f"SELECT count(*) FROM traces{condition}", values)[0][0]  # noqa: S608
    sql = f"SELECT lower(hex(trace)) FROM traces{condition} ORDER BY start_ns DESC, trace LIMIT ?"  # noqa: S608
    found = [trace for (trace,) in source.store.select(sql, (*values, last))]
    return found[::-1], count - len(found)


def _draw(source: Source, traces: list[str]) -> None:
    from ..viewer import tree

    tree.render(span for trace in traces for span in source.store.spans(trace))


def _say(source: Source, trace_id: str) -> None:
    """One trace: its spans in drawing order, each with its depth, so that no reader needs recursion."""
    for trace in grow(source.store.spans(trace_id)):
        say_json(
            {
                "trace_id": trace.trace_id,
                "start_ns": trace.start_ns,
                "duration_s": _seconds(trace),
                "spans": [
                    {"depth": len(entry.rails), **_span(entry.span)}
                    for entry in trace.entries()
                    if entry.span is not None
                ],
            }
        )


def _span(span: Span) -> dict[str, Any]:
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "kind": word(span)[0],
        "name": span.name,
        "start_ns": span.start_ns,
        "duration_s": _seconds(span),
        "is_error": is_error(span),
        "status": {"code": span.status_code, "message": span.status_message},
        "attributes": span.attributes,
        "events": [{"name": e.name, "time_ns": e.time_ns, "attributes": e.attributes} for e in span.events],
    }


def _seconds(of: Trace | Span) -> float:
    return max(0, of.end_ns - of.start_ns) / 1e9
