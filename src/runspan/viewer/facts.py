"""What one span has to say: the lines below its name.

Reads the GenAI conventions first, then OpenInference's values, so that other senders' spans say something.
Attributes may be absent or of any type; what can not be read is left out, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from runspan.viewer import conversation, endings
from runspan.viewer.kinds import is_error, is_run, number, text, word
from runspan.viewer.messages import Message, parse, read_instructions, read_messages, show
from runspan.viewer.paint import Piece
from runspan.viewer.spans import Span
from runspan.viewer.text import cell_len, fit, neutral, one_line, wrapped
from runspan.viewer.units import count, is_rough, money, seconds, spread

Line = list[Piece]

SHOWN_INPUTS = 5  # the newest are shown, as they explain the answer
SHOWN_OUTPUTS = 5

STATUS_STYLES: Mapping[str, str] = {
    "completed": "green",
    "failed": "red",
    "expired": "red",
    "cancelled": "yellow",
    "incomplete": "yellow",
}
ROLE_STYLES: Mapping[str, str] = {"system": "dim", "user": "green", "assistant": "cyan", "tool": "yellow"}


def lines(span: Span, parent: Span | None, is_answered: bool, cells: int) -> list[Line]:
    """The lines below the span's name. `cells` is the room of one line; longer ones are cut by the caller.

    `is_answered`: the span's messages stand on a model call below it.
    """
    kind = word(span)[0]
    details = DETAILS.get(kind, _exchange)
    return [
        *details(span, is_answered, cells),
        *_errors(span, cells),
        *_why(span, cells),
        *_misfits(span, parent),
    ]


def took(span: Span) -> str:
    """How long the span took, in one short word; `~` where digits are open, which the line below it tells."""
    if not 0 < span.start_ns <= span.end_ns:
        return "?"
    value = (span.end_ns - span.start_ns) / 1e9
    width = number(span, "runspan.run.end_uncertainty_s")
    if width is None or not is_rough(value, width):
        return seconds(value)
    digits, *_, unit = spread(value, width).split(" ")
    return f"~{digits} {unit}"


def _run(span: Span, is_answered: bool, cells: int) -> list[Line]:
    found = _life(span, cells)
    return found if is_answered else found + _exchange(span, is_answered, cells)


def _life(span: Span, cells: int) -> list[Line]:
    """How a run went: its status, its times, its ids."""
    status, unfinished = text(span, "runspan.run.status"), text(span, "runspan.run.unfinished")
    width = number(span, "runspan.run.end_uncertainty_s")
    line: list[Piece] = []
    if status:
        line.append((_ended(span, one_line(status, 20), width), STATUS_STYLES.get(status, "yellow")))
    if unfinished:
        line.append(("end not seen", "bold yellow"))
    for label, key in RUN_TIMES.items():
        if value := number(span, key):  # none at all is no news
            line.append((label.format(spread(value, width)), ""))
    if polls := number(span, "runspan.run.polls"):
        line.append((count(polls, "poll"), ""))
    ids = [one_line(text(span, key), 40) for key in ("runspan.run.id", "gen_ai.conversation.id")]
    return [*joined(line, cells), *joined([(id_, "dim") for id_ in dict.fromkeys(ids) if id_], cells)]


def _ended(span: Span, status: str, width: float | None) -> str:
    """`completed`, and how long it took where the column of times has no room for what is open about that."""
    value = (span.end_ns - span.start_ns) / 1e9
    return f"{status} in {spread(value, width)}" if value > 0 and is_rough(value, width) else status


RUN_TIMES: Mapping[str, str] = {
    "queued {}": "runspan.run.queue_s",
    "active {}": "runspan.run.active_s",
    "waited {} for tools": "runspan.run.tool_wait_s",
    "noticed {} later": "runspan.run.detection_lag_s",
}


def _generation(span: Span, is_answered: bool, cells: int) -> list[Line]:
    asked, used = text(span, "gen_ai.request.model"), text(span, "gen_ai.response.model")
    model = f"{used} (asked for {asked})" if used and asked and used != asked else used or asked
    line: list[Piece] = [(one_line(model, cells), "bold")] if model else []
    if used_tokens := tokens([span]):
        line.append((used_tokens, ""))
    if (cost := number(span, "gen_ai.usage.cost")) is not None:
        line.append((money(cost), ""))
    if (first := number(span, "gen_ai.response.time_to_first_chunk")) is not None:
        line.append((f"first token {seconds(first)}", ""))
    reasons = span.attributes.get("gen_ai.response.finish_reasons")
    no_news = ("stop", "error") if is_run(span) else ("stop",)
    if isinstance(reasons, list | tuple) and any(reason not in no_news for reason in reasons):
        line.append((one_line(", ".join(map(show, reasons)), 20), "yellow"))
    attributes = span.attributes
    system = read_instructions(attributes.get("gen_ai.system_instructions"))
    inputs = read_messages(attributes.get("gen_ai.input.messages")) or _said(conversation.given(attributes))
    outputs = read_messages(attributes.get("gen_ai.output.messages")) or _said(
        conversation.answered(attributes)
    )
    said = _conversation(system, inputs, outputs, cells) or _exchange(span, is_answered, cells)
    return [*(_life(span, cells) if is_run(span) else ()), *joined(line, cells), *said]


def _said(saids: Iterable[conversation.Said]) -> list[Message]:
    """Messages that stand in flat attributes, as OpenInference and OpenLLMetry write them."""
    return [(said.role, " ".join(part.text or part.name for part in said.parts)) for said in saids]


def tokens(spans: Iterable[Span]) -> str:
    """`tokens 120 in (20 cached) → 18 out`, summed over the spans; empty when none has any."""
    spans, sides = list(spans), []
    for side, (total, part, label) in TOKENS.items():
        totals, parts = _numbers(spans, total), _numbers(spans, part)
        if totals:
            sides.append(
                f"{sum(totals):,.0f} {side}" + (f" ({sum(parts):,.0f} {label})" if any(parts) else "")
            )
    return f"tokens {' → '.join(sides)}" if sides else ""


def _numbers(spans: Iterable[Span], key: str) -> list[float]:
    return [found for span in spans if (found := number(span, key)) is not None]


# side -> (total, part of that total, name of the part); input counts its cached tokens, output its reasoning
TOKENS: Mapping[str, tuple[str, str, str]] = {
    "in": ("gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens", "cached"),
    "out": ("gen_ai.usage.output_tokens", "gen_ai.usage.reasoning.output_tokens", "reasoning"),
}


def _conversation(
    system: list[Message], inputs: list[Message], outputs: list[Message], cells: int
) -> list[Line]:
    earlier, between = max(0, len(inputs) - SHOWN_INPUTS), max(0, len(outputs) - SHOWN_OUTPUTS)
    rows = [("", *message) for message in system]
    rows += [("", "", f"… {count(earlier, 'earlier message')}")] if earlier else []
    rows += [("", *message) for message in inputs[earlier:]]
    # The last one is the answer. A tool's result among them is what the model read.
    said = [("" if message[0] == "tool" else "→", *message) for message in outputs]
    rows += said[: SHOWN_OUTPUTS - 1] if between else said
    rows += [("", "", f"… {count(between, 'message')} in between"), said[-1]] if between else []
    roles = [fit(neutral(one_line(role, 10)), 10) for _, role, _ in rows]
    width = max(map(cell_len, roles), default=0)
    return [
        [
            (f"{mark:2}", "bold"),
            (f"{role}{' ' * (width - cell_len(role))}  ", ROLE_STYLES.get(role, "")),
            (one_line(message, cells), "dim" if role in ("system", "") else ""),
        ]
        for (mark, _, message), role in zip(rows, roles, strict=True)
    ]


def _exchange(span: Span, is_answered: bool, cells: int) -> list[Line]:
    """What went in and what came out, on one line if it fits."""
    given, got = (_first(span, keys, cells) for keys in (GIVEN, GOT))
    if not got and "gen_ai.retrieval.documents" in span.attributes:
        documents = parse(span.attributes["gen_ai.retrieval.documents"])
        got = count(len(documents), "document") if isinstance(documents, list) else ""
    answer: Line = [("→ ", "bold"), (got, "")] if got else []
    if not given or not got:
        return [[(given, "")]] if given else [answer] if answer else []
    if cell_len(given) + cell_len(got) + len(" → ") <= cells:
        return [[(f"{given} ", ""), *answer]]
    return [[("  ", ""), (given, "")], answer]


GIVEN = ("gen_ai.tool.call.arguments", "input.value")
GOT = ("gen_ai.tool.call.result", "output.value")


def _first(span: Span, keys: Iterable[str], cells: int) -> str:
    for key in keys:
        if (value := span.attributes.get(key)) is not None:
            return neutral(one_line(show(value), cells))
    return ""


def _errors(span: Span, cells: int) -> list[Line]:
    if not is_error(span):
        return []
    exceptions = [event.attributes for event in span.events if event.name == "exception"]
    raised = exceptions[-1] if exceptions else {}
    kind = span.attributes.get("error.type") or raised.get("exception.type")
    message = span.status_message or raised.get("exception.message")
    said = ": ".join(one_line(show(fact), cells) for fact in (kind, message) if fact)
    return [[("✗ ", "bold red"), (said or "error", "red")]]


def _why(span: Span, cells: int) -> list[Line]:
    """Why a run ended as it did, or why its end was not seen, and what to do about it."""
    unfinished = one_line(text(span, "runspan.run.unfinished"), 40)
    why = endings.reason(text(span, "runspan.run.status"), unfinished, text(span, "error.type"))
    if not why or not is_run(span):
        return []
    return [
        [("  " if at else "! ", "bold yellow"), (part, "yellow")]
        for at, part in enumerate(wrapped(why, cells - 2))
    ]


def _misfits(span: Span, parent: Span | None) -> list[Line]:
    """Times that do not nest. Less than a millisecond is clocks, not news; a run may outlive the call that began it."""
    found = [("has no end time", 1 if not span.end_ns else 0)]
    if span.start_ns and span.end_ns:
        found.append(("ends {} before its own start", span.start_ns - span.end_ns))
    if parent and parent.start_ns and span.start_ns:
        found.append(("starts {} before its parent", parent.start_ns - span.start_ns))
    if parent and parent.end_ns and span.end_ns and not is_run(span):
        found.append(("ends {} after its parent", span.end_ns - parent.end_ns))
    return [
        [("! ", "bold yellow"), (sentence.format(seconds(ns / 1e9)), "yellow")]
        for sentence, ns in found
        if ns >= 1_000_000 or (ns and "{}" not in sentence)
    ]


DETAILS: Mapping[str, Callable[[Span, bool, int], list[Line]]] = {
    "run": _run,
    "llm": _generation,
    "embed": _generation,
}


def joined(pieces: Line, cells: int) -> list[Line]:
    """Pieces with a dot between them, on as many lines as they need."""
    lines: list[Line] = []
    used = 0
    for piece in pieces:
        size = cell_len(neutral(piece[0]))
        if lines and used + len(DOT) + size <= cells:
            lines[-1] += [(DOT, "dim"), piece]
            used += len(DOT) + size
        else:
            lines.append([piece])
            used = size
    return lines


DOT = " · "
