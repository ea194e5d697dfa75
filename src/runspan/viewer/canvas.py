"""Lines of a fixed width: pieces cut to fit, three columns on the right, the bar of a waterfall.

Every text passes `neutral` here, whoever made it, so that no way to the terminal goes around it.
"""

from __future__ import annotations

from runspan.viewer.facts import Line
from runspan.viewer.forest import Trace
from runspan.viewer.paint import Piece
from runspan.viewer.spans import Span
from runspan.viewer.text import cell_len, encodable, fit, isolate, neutral
from runspan.viewer.units import seconds

NUMBER = 8  # cells of one column of times
MIN_WIDTH = 40
MIN_NAME = 22  # cells kept for a name, however deep it stands
NO_BAR_BELOW = 64  # a narrower terminal shows times only


class Canvas:
    """A place of `width` cells (at least 40) for an output encoding."""

    def __init__(self, width: int, encoding: str) -> None:
        self.width = max(width, MIN_WIDTH)
        self.encoding = encoding
        self.bar_width = 0 if self.width < NO_BAR_BELOW else min(self.width // 5, 40)
        self.left = self.width - 2 * (NUMBER + 1) - (self.bar_width + 1 if self.bar_width else 0)
        self.max_levels = max(1, (self.left - MIN_NAME) // 3)

    def line(self, pieces: Line, width: int | None = None) -> Line:
        """The pieces within the width; what is too long ends in an ellipsis."""
        room = self.width if width is None else width
        fitted: Line = []
        for text, style in pieces:
            safe = encodable(neutral(text), self.encoding)
            shown = encodable(fit(safe, room), self.encoding)
            room -= cell_len(shown)
            fitted.append((encodable(isolate(shown), self.encoding), style))
            if shown != safe:
                break
        return fitted

    def columns(self, left: Line, start: Piece, took: Piece, bar: Line) -> Line:
        """A name with its times and its bar."""
        fitted = self.line(left, self.left)
        gap = self.left - sum(cell_len(text) for text, _ in fitted)
        numbers = [(f" {text:>{NUMBER}}", style) for text, style in (start, took)]
        return [*fitted, (" " * gap, ""), *numbers, *self.line(bar)]

    def scale(self, trace: Trace) -> Line:
        """The head of the bars: how long the trace is."""
        if not self.bar_width:
            return []
        length = f" {seconds((trace.end_ns - trace.start_ns) / 1e9)} "
        return [(f" ├{length:─^{self.bar_width - 2}}┤", "dim")]

    def bar(self, span: Span, parent: Span | None, trace: Trace, style: str) -> Line:
        """When the span was under way, as a part of the trace; dashed beyond its parent's end."""
        total = trace.end_ns - trace.start_ns
        if not self.bar_width or not 0 < span.start_ns <= span.end_ns or total <= 0:
            return []
        # Down for the start and up for the end, in whole numbers: a bar has at least one cell and touches its
        # neighbours' in time. (Floats lose nanoseconds since 1970.)
        first = min((span.start_ns - trace.start_ns) * self.bar_width // total, self.bar_width - 1)
        end = max(-((trace.start_ns - span.end_ns) * self.bar_width // total), first + 1)
        inside = end
        if parent and parent.end_ns and span.end_ns > parent.end_ns:
            parent_end = -((trace.start_ns - parent.end_ns) * self.bar_width // total)
            inside = max(first, min(parent_end, end - 1))
        solid, beyond = "━" * (inside - first), "┅" * (end - inside)
        return [(" " * (first + 1), ""), (solid, style), (beyond, "bold yellow")]
