"""What a span keeps where the SDK's limit (`OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`) is below what it has to say."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TypeVar

from . import genai, openinference

T = TypeVar("T")

# The most important first: what kind of span it is, whose, how it ended, what it cost; then what was said; then all else.
ORDER: tuple[str, ...] = (
    genai.OPERATION,
    "runspan.run.id",
    "runspan.run.status",
    genai.CONVERSATION,
    genai.RESPONSE_ID,
    genai.REQUEST_MODEL,
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    genai.ERROR_TYPE,
    "runspan.run.unfinished",
    genai.TOOL_NAME,
    "gen_ai.tool.call.id",
    "runspan.step.id",
    openinference.KIND,
    genai.PROVIDER,
    genai.AGENT_ID,
    genai.AGENT_NAME,
    "gen_ai.response.finish_reasons",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.output.messages",
    "gen_ai.input.messages",
    "gen_ai.tool.call.arguments",
    genai.TOOL_RESULT,
    "output.value",
    "input.value",
    "gen_ai.system_instructions",
)
_RANK = {key: rank for rank, key in enumerate(ORDER)}


NEEDED = 64  # attributes; more than a run with everything has


def from_the_start(attributes: Mapping[str, T], count: int | None) -> dict[str, T]:
    """Of what is known when a span begins, that which it will keep in the end: so nothing has to make room."""
    if count is None or count >= NEEDED:
        return dict(attributes)
    return {key: value for key, value in attributes.items() if _RANK.get(key, count) < count}


def kept(attributes: Mapping[str, T], count: int, own: Set[str] = frozenset()) -> dict[str, T]:
    """The `count` most important of `attributes`. `own`: keys that the app set itself, next behind the table's."""
    if len(attributes) <= count:
        return dict(attributes)
    ranked = sorted(attributes, key=lambda key: _RANK.get(key, len(ORDER) + (key not in own)))
    chosen = set(ranked[: max(0, count)])
    return {key: value for key, value in attributes.items() if key in chosen}
