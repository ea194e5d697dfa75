"""What kind of work a span stands for, in one short word, and how its attributes are read.

The GenAI operation decides, then OpenInference's kind, then OpenTelemetry's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from runspan.viewer.paint import Piece
from runspan.viewer.spans import Span
from runspan.viewer.text import one_line

# gen_ai.operation.name -> (word, style)
OPERATIONS: Mapping[str, Piece] = {
    "invoke_agent": ("run", "bold magenta"),
    "invoke_workflow": ("flow", "bold magenta"),
    "chat": ("llm", "bold cyan"),
    "text_completion": ("llm", "bold cyan"),
    "generate_content": ("llm", "bold cyan"),
    "embeddings": ("embed", "cyan"),
    "execute_tool": ("tool", "bold yellow"),
    "retrieval": ("find", "bold yellow"),
}
OPENINFERENCE_KINDS: Mapping[str, Piece] = {
    "AGENT": ("agent", "bold magenta"),
    "CHAIN": ("chain", "blue"),
    "LLM": ("llm", "bold cyan"),
    "EMBEDDING": ("embed", "cyan"),
    "TOOL": ("tool", "bold yellow"),
    "RETRIEVER": ("find", "bold yellow"),
    "RERANKER": ("rank", "yellow"),
    "GUARDRAIL": ("guard", "yellow"),
    "EVALUATOR": ("eval", "yellow"),
}
SPAN_KINDS: Mapping[str, Piece] = {
    "CLIENT": ("call", "green"),
    "SERVER": ("serve", "green"),
    "PRODUCER": ("send", "green"),
    "CONSUMER": ("take", "green"),
}


def word(span: Span) -> Piece:
    """The span's kind in one short word, and its colour."""
    operation, kind = text(span, "gen_ai.operation.name"), text(span, "openinference.span.kind")
    if operation in OPERATIONS:
        return OPERATIONS[operation]
    if operation:  # create_thread, submit_tool_outputs ...
        return "call", "green"
    return OPENINFERENCE_KINDS.get(kind.upper()) or SPAN_KINDS.get(span.kind) or ("span", "blue")


def is_error(span: Span) -> bool:
    """Whether the span ended in an error, by its status or by `error.type`."""
    return span.status_code == "ERROR" or "error.type" in span.attributes


def is_run(span: Span) -> bool:
    """Whether the span is a Run: of an assistant or an agent, or a model call that runspan followed as one (a Response)."""
    return word(span)[0] == "run" or "runspan.api" in span.attributes


def outcome(span: Span) -> str:
    """How a run ended, in a word or two."""
    status = one_line(text(span, "runspan.run.status"), 20) or ("error" if is_error(span) else "no status")
    return f"{status} (unfinished)" if "runspan.run.unfinished" in span.attributes else status


def text(span: Span, key: str) -> str:
    """A string attribute, else an empty text."""
    value = span.attributes.get(key)
    return value if isinstance(value, str) else ""


# what stands beside an operation in a span's name, the most telling first
NAMED_BY: Mapping[str, tuple[str, ...]] = {
    "invoke_agent": ("gen_ai.agent.name", "gen_ai.agent.id", "gen_ai.response.model", "gen_ai.request.model"),
    "chat": ("gen_ai.request.model", "gen_ai.response.model"),
    "execute_tool": ("gen_ai.tool.name",),
}


def title(span: Span) -> str:
    """The span's name; a bare operation with what it is about: `invoke_agent asst_123`."""
    about = next((found for key in NAMED_BY.get(span.name, ()) if (found := text(span, key))), "")
    return f"{span.name} {about}".strip() or "(no name)"


def assistant(span: Span) -> str:
    """Whose run the span is: the assistant's name, else its id or model; empty where the span tells neither."""
    if name := text(span, "gen_ai.agent.name") or text(span, "agent.name"):
        return name
    return title(span).removeprefix("invoke_agent").strip() if span.name else ""


def number(span: Span, key: str) -> float | None:
    """A number that can be one of seconds, tokens or money, else None."""
    value = span.attributes.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e18:
        return None
    return value
