"""What a run or a model call says of itself, in one flat record: the columns of the runs table.

Keys of the GenAI conventions first, then our own, then those of other senders; the first that is set wins.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runspan.viewer import conversation
from runspan.viewer.conversation import Saids
from runspan.viewer.kinds import assistant, is_error, is_run, number, text, word
from runspan.viewer.messages import show
from runspan.viewer.spans import Span

PREVIEW = 300  # characters of a question or an answer in lists
NAME = 200

# the kind's word -> what it counts as; others are neither
SORTS: Mapping[str, str] = {"run": "run", "agent": "run", "llm": "llm", "embed": "llm"}


def sort_of(span: Span) -> str | None:
    """What the span counts as: `run`, `llm`, or neither."""
    return "run" if is_run(span) else SORTS.get(word(span)[0])


class Facts(msgspec.Struct, omit_defaults=True, frozen=True):
    """Times in seconds, money in US dollars; None where the sender did not say."""

    sort: str  # run, or llm: a model call
    name: str = ""  # the assistant's; its id or model where it has none
    model: str = ""
    status: str = ""
    unfinished: str = ""
    error: str = ""
    run_id: str = ""
    thread: str = ""
    session: str = ""
    user: str = ""
    queue_s: float | None = None
    active_s: float | None = None
    tool_wait_s: float | None = None
    lag_s: float | None = None
    first_token_s: float | None = None
    polls: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    question: str = ""
    answer: str = ""
    uncertainty_s: float | None = None  # how wide the interval is in which the run ended


TEXTS: Mapping[str, tuple[str, ...]] = {
    "name": ("gen_ai.agent.name", "agent.name"),
    "model": (
        "gen_ai.response.model",
        "gen_ai.request.model",
        "llm.model_name",
        "embedding.model_name",
    ),
    "unfinished": ("runspan.run.unfinished",),
    "run_id": ("runspan.run.id",),
    "thread": ("gen_ai.conversation.id",),
    "session": ("session.id", "langfuse.session.id"),
    "user": ("user.id", "langfuse.user.id", "enduser.id"),
}
SECONDS: Mapping[str, tuple[str, ...]] = {
    "queue_s": ("runspan.run.queue_s",),
    "active_s": ("runspan.run.active_s",),
    "tool_wait_s": ("runspan.run.tool_wait_s",),
    "lag_s": ("runspan.run.detection_lag_s",),
    "first_token_s": ("gen_ai.response.time_to_first_chunk",),
    "uncertainty_s": ("runspan.run.end_uncertainty_s",),
    "cost": ("gen_ai.usage.cost", "llm.cost.total", "operation.cost"),
}
COUNTS: Mapping[str, tuple[str, ...]] = {
    "polls": ("runspan.run.polls",),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
}


def facts(span: Span, sort: str, inputs: Saids, outputs: Saids) -> Facts:
    """The facts of a run or a model call. `inputs` and `outputs`: its messages (`conversation`)."""
    found: dict[str, str | float | int | None] = {
        field: next((text(span, key)[:NAME] for key in keys if text(span, key)), "")
        for field, keys in TEXTS.items()
    }
    found |= {field: _number(span, keys) for field, keys in SECONDS.items()}
    counts = {field: _number(span, keys) for field, keys in COUNTS.items()}
    found |= {field: None if count is None else int(count) for field, count in counts.items()}
    if found["session"] == found["thread"]:  # runspan's own default, which says nothing new
        found["session"] = ""
    if sort == "run" and not found["name"]:
        found["name"] = found["model"] if word(span)[0] == "llm" else assistant(span)[:NAME]
    question, answer = exchange(span, inputs, outputs)
    return Facts(
        sort=sort,
        status=status(span),
        error=error(span),
        question=preview(question),
        answer=preview(answer),
        **found,  # type: ignore[arg-type]  # the tables above name the fields with their types
    )


def usage(span: Span) -> tuple[int | None, float | None]:
    """(tokens in and out together, US dollars) of one span."""
    sides = [_number(span, COUNTS[side]) for side in ("input_tokens", "output_tokens")]
    known = [side for side in sides if side is not None]
    return (int(sum(known)) if known else None), _number(span, SECONDS["cost"])


def status(span: Span) -> str:
    """The Run's own word, else how the span ended."""
    return text(span, "runspan.run.status")[:40] or ("failed" if is_error(span) else "ok")


def error(span: Span) -> str:
    """`code: message`, or either; empty for what did not fail."""
    if not is_error(span):
        return ""
    raised = next((e.attributes for e in reversed(span.events) if e.name == "exception"), {})
    kind = span.attributes.get("error.type") or raised.get("exception.type")
    message = span.status_message or raised.get("exception.message")
    facts = dict.fromkeys(show(fact) for fact in (kind, message) if fact)
    return ": ".join(facts)[:NAME] or "error"


def exchange(span: Span, inputs: Saids, outputs: Saids) -> tuple[str, str]:
    """What was asked last and what was answered, whole; of a model call without words, what it was given and does."""
    question = conversation.last_text(inputs, "user") or conversation.last_text(inputs)
    answer = conversation.last_text(outputs)
    return (
        question or text(span, "input.value") or conversation.last_deed(inputs),
        answer or text(span, "output.value") or conversation.last_deed(outputs),
    )


def preview(of: str) -> str:
    """One line for a list, with `…` for what it leaves out. Cut before it is split, as texts may be megabytes."""
    line = " ".join(of[: 4 * PREVIEW].split())
    is_cut = len(line) > PREVIEW or len(of) > 4 * PREVIEW
    return whole(line[: PREVIEW - 1].rstrip() + "…" if is_cut else line)


def whole(text: str) -> str:
    """Without lone surrogates: JSON inside of an attribute may escape them (`\\ud800`), and no file can hold them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _number(span: Span, keys: tuple[str, ...]) -> float | None:
    return next((value for key in keys if (value := number(span, key)) is not None), None)
