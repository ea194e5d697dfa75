"""Traces drawn in the terminal: a tree on the left, times and a waterfall on the right, a sum at the end.

    tree.render(store.spans(trace_id))

In colour where the output is a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from typing import TextIO

from runspan.viewer import facts, kinds
from runspan.viewer.canvas import Canvas
from runspan.viewer.dialects import normal
from runspan.viewer.facts import Line, joined
from runspan.viewer.forest import Entry, Trace, grow
from runspan.viewer.paint import Paint
from runspan.viewer.spans import Span
from runspan.viewer.text import cell_len, one_line
from runspan.viewer.units import count, moment, seconds


def render(spans: Iterable[Span], *, file: TextIO | None = None, width: int | None = None) -> None:
    """Draw to `file` (default: standard output), as wide as the terminal is unless `width` says otherwise."""
    paint = Paint(file, width)
    for line in _draw(spans, Canvas(paint.width, paint.encoding)):
        paint.line(line)


def to_text(spans: Iterable[Span], *, width: int = 80, encoding: str = "utf-8") -> str:
    """The same as plain text, each line ended; in ASCII when `encoding` is not a UTF."""
    lines = _draw(spans, Canvas(width, encoding))
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def _draw(spans: Iterable[Span], canvas: Canvas) -> Iterator[Line]:
    traces = grow(map(normal, spans))
    if not traces:
        yield [("no spans", "dim")]
        return
    for trace in traces:
        yield from _trace(trace, canvas)
        yield []
    yield from _summary(traces, canvas)


def _trace(trace: Trace, canvas: Canvas) -> Iterator[Line]:
    title: Line = [("trace ", "bold"), (trace.trace_id, "bold")]
    yield canvas.columns(title, ("begins", "dim"), ("takes", "dim"), canvas.scale(trace))
    about = [(moment(trace.start_ns), "dim")] if trace.start_ns else []
    about += [
        (seconds((trace.end_ns - trace.start_ns) / 1e9), "dim"),
        (count(len(trace.spans), "span"), "dim"),
    ]
    about += [(name, "dim") for name in _services(trace)]
    yield from map(canvas.line, joined(about, canvas.width))
    answering = {span.parent_id for span in trace.spans if kinds.word(span)[0] == "llm"}
    for entry in trace.entries():
        yield from _entry(entry, trace, canvas, answering)


def _services(trace: Trace) -> list[str]:
    named = (span.resource.get("service.name") for span in trace.spans)
    return list(dict.fromkeys(one_line(name, 40) for name in named if isinstance(name, str)))


def _entry(entry: Entry, trace: Trace, canvas: Canvas, answering: Set[str | None]) -> Iterator[Line]:
    """`answering`: the spans that have a model call right below, where the messages stand."""
    if entry.span is None:
        yield canvas.line([(entry.note, "bold yellow")])
        return
    span = entry.span
    word, style = kinds.word(span)
    above, branch, on = _guides(entry.rails, canvas)
    name = (one_line(kinds.title(span), canvas.width), "bold red" if kinds.is_error(span) else "bold")
    head: Line = [(above + branch, "dim"), (word, style), (" ", ""), name]
    start = f"+{seconds((span.start_ns - trace.start_ns) / 1e9)}" if span.start_ns else ""
    took = facts.took(span)
    yield canvas.columns(head, (start, "dim"), (took, ""), canvas.bar(span, entry.parent, trace, style))
    below = above + on + ("│  " if entry.has_children else "   ")
    for line in facts.lines(span, entry.parent, span.span_id in answering, canvas.width - cell_len(below)):
        yield canvas.line([(below, "dim"), *line])


def _guides(rails: tuple[bool, ...], canvas: Canvas) -> tuple[str, str, str]:
    """What stands before a name: the lines from above, its own branch, and that branch going on below."""
    if not rails:
        return "", "", ""
    shown = rails[-canvas.max_levels :]
    cut = "⋯" if len(shown) < len(rails) else ""
    above = cut + "".join("   " if is_last else "│  " for is_last in shown[:-1])
    return above, *(("└─ ", "   ") if shown[-1] else ("├─ ", "│  "))


def _summary(traces: tuple[Trace, ...], canvas: Canvas) -> Iterator[Line]:
    spans = [span for trace in traces for span in trace.spans]
    errors = sum(map(kinds.is_error, spans))
    parts: Line = [(count(len(traces), "trace"), "bold"), (count(len(spans), "span"), "")]
    parts += [(f"{count(errors, 'span')} with errors", "red")] if errors else []
    runs = Counter(map(kinds.outcome, filter(kinds.is_run, spans)))
    if runs:
        by_status = ", ".join(f"{number} {status}" for status, number in runs.most_common())
        parts.append((f"{count(runs.total(), 'run')}: {by_status}", ""))
    # Agent spans of other senders repeat their generations' tokens, so only generations count.
    if tokens := facts.tokens(span for span in spans if kinds.word(span)[0] in ("llm", "embed")):
        parts.append((tokens, ""))
    yield from map(canvas.line, joined(parts, canvas.width))
