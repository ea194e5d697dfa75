"""Two runs side by side: each fact of both, and which of them is less."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runspan.viewer.endings import reason
from runspan.viewer.store import Run
from runspan.viewer.web.render import count, money, spread, took
from runspan.viewer.web.results import Tool

MAX_WORDS = 800  # of an answer, for the comparison by words
LEAST_ALIKE = 0.4  # below this share of equal words, marks would be everywhere and tell nothing
WORDS = re.compile(r"\s+|\d[\d.,:]*\d|\w+|[^\w\s]")  # a number is one word

# label -> (value of a run, how it is written)
NUMBERS: Mapping[str, tuple[Callable[[Run], float | None], Callable[[float | None], str]]] = {
    "Duration": (lambda run: run.duration_ns / 1e9, took),
    "Queued": (lambda run: run.queue_s, took),
    "Active": (lambda run: run.active_s, took),
    "Waiting for tools": (lambda run: run.tool_wait_s, took),
    "Until the app looked": (lambda run: run.lag_s, took),
    "First token": (lambda run: run.first_token_s, took),
    "Input tokens": (lambda run: run.input_tokens, count),
    "of them cached": (lambda run: run.cached_tokens, count),
    "Output tokens": (lambda run: run.output_tokens, count),
    "Cost": (lambda run: run.cost, money),
    "Tool calls": (lambda run: run.tools, count),
    "Polls": (lambda run: run.polls, count),
}
# known as exactly as the run's end is
ROUGH = frozenset({"Duration", "Queued", "Active", "Waiting for tools", "Until the app looked"})
NEITHER_BETTER = frozenset({"of them cached", "Tool calls", "Polls"})
TEXTS: Mapping[str, Callable[[Run], str]] = {
    "Status": lambda run: run.status,
    "Assistant": lambda run: run.name if run.name != run.model else "",  # a Response has none
    "Model": lambda run: run.model,
    "Error": lambda run: run.error,
    "Why": lambda run: reason(run.status, run.unfinished, run.error),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One number of both runs; `bars` are percent of the larger, `change` is the second against the first."""

    label: str
    left: str
    right: str
    bars: tuple[float, float]
    change: str
    trend: str  # less, more; empty where there is none


def numbers(left: Run, right: Run) -> list[Line]:
    """The numbers that at least one of them has, and not as a zero. Less is better only where both ended well."""
    is_fair = not (left.is_bad or right.is_bad)
    return [
        _line(label, left, right, is_fair)
        for label, (value, _) in NUMBERS.items()
        if value(left) or value(right)
    ]


def _line(label: str, left: Run, right: Run, is_fair: bool) -> Line:
    value, write = NUMBERS[label]
    a, b = value(left), value(right)
    top = max(a or 0.0, b or 0.0) or 1.0
    bars = (100 * (a or 0.0) / top, 100 * (b or 0.0) / top)
    moved = "" if a is None or b is None else change(a, b)
    trend = (
        ""
        if moved in ("", "same") or label in NEITHER_BETTER or not is_fair
        else "less"
        if (b or 0.0) < (a or 0.0)
        else "more"
    )
    if label not in ROUGH:
        return Line(label, write(a), write(b), bars, moved, trend)
    widths = (left.uncertainty_s, right.uncertainty_s)
    written = (spread(a, widths[0]), spread(b, widths[1]))
    is_open = abs((b or 0.0) - (a or 0.0)) < sum(width or 0.0 for width in widths) / 2
    if moved and is_open and "±" in "".join(written):
        moved, trend = "within the ±", ""  # both may be the same
    return Line(label, *written, bars, moved, trend)


def change(left: float, right: float) -> str:
    """The second against the first; less than half a percent is the same."""
    if not left:
        return "new" if right else "same"
    percent = f"{100 * (right - left) / left:+,.0f} %".replace("-", "−")
    return "same" if percent[1:] == "0 %" else percent


def texts(left: Run, right: Run) -> list[tuple[str, str, str, bool]]:
    """(label, left, right, whether they differ), where one has any."""
    found = [(label, of(left), of(right)) for label, of in TEXTS.items()]
    return [(label, a, b, a != b) for label, a, b in found if a or b]


def tools(left: Sequence[Tool], right: Sequence[Tool]) -> list[tuple[Tool | None, Tool | None]]:
    """Calls of the same names in the same order stand beside each other."""
    names = [tool.name for tool in left], [tool.name for tool in right]
    pairs: list[tuple[Tool | None, Tool | None]] = []
    for _, a, b, c, d in difflib.SequenceMatcher(None, names[0], names[1], autojunk=False).get_opcodes():
        longest = max(b - a, d - c)
        firsts = [*left[a:b], *[None] * (longest - (b - a))]
        seconds = [*right[c:d], *[None] * (longest - (d - c))]
        pairs += zip(firsts, seconds, strict=True)
    return pairs


def words(left: str, right: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both texts in pieces: (piece, whether the other has it not). No pieces of long texts and very different ones."""
    sides = [WORDS.findall(text) for text in (left, right)]
    if not left or not right or max(map(len, sides)) > MAX_WORDS:
        return [(left, False)], [(right, False)]
    matcher = difflib.SequenceMatcher(str.isspace, sides[0], sides[1], autojunk=False)
    if matcher.ratio() < LEAST_ALIKE:
        return [(left, False)], [(right, False)]
    codes = matcher.get_opcodes()
    return (
        list(_pieces(sides[0], [(code[0] != "equal", code[1], code[2]) for code in codes])),
        list(_pieces(sides[1], [(code[0] != "equal", code[3], code[4]) for code in codes])),
    )


def _pieces(of: Sequence[str], parts: Sequence[tuple[bool, int, int]]) -> Iterator[tuple[str, bool]]:
    for differs, start, end in parts:
        if start < end:
            yield "".join(of[start:end]), differs
