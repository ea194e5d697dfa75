"""Content on a log record instead of (or beside) the span, for owners who route the two differently.

`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=EVENT_ONLY` or `SPAN_AND_EVENT`: one `gen_ai.client.inference.operation.details`
record per generation, through the app's LoggerProvider, with the messages as structures (on spans they are JSON strings).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from opentelemetry.context import Context

from .. import _compat
from .._version import __version__
from ..conventions import genai
from ..core.model import RunFacts, SpanData
from ..guard import guarded, logger
from .tracers import SCOPE

_LOGS: Any = _compat.logs_api()
EVENT = "gen_ai.client.inference.operation.details"

_STRUCTURED = (
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.definitions",
)


def provider() -> Any:
    """The app's LoggerProvider, or what the API has in its place; None: this version has no logs."""
    return None if _LOGS is None else _LOGS.get_logger_provider()


def emitted(
    name: str, attributes: Mapping[str, Any], context: Context, at_ns: int, observed_ns: int | None = None
) -> bool:
    """Whether this event went to the app's LoggerProvider; False: it has set none."""
    apps = provider()
    if not _compat.is_logger_provider(apps):
        return False
    record = _LOGS.LogRecord(
        timestamp=at_ns,
        observed_timestamp=observed_ns,
        context=context,
        severity_number=_LOGS.SeverityNumber.INFO,
        event_name=name,
        attributes=attributes,
    )
    apps.get_logger(SCOPE, __version__).emit(record)
    return True


class ContentEvents:
    """`emit` for each generation span; says once what is missing where the app has no LoggerProvider."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._has_advised = False

    def emit(self, generation: SpanData, facts: RunFacts, context: Context) -> None:
        """`facts`: with the content that goes on the record."""
        with guarded("write content on a log record"):
            attributes: dict[str, Any] = {
                **genai.attributes(replace(generation, facts=facts), self._max_chars)
            }
            for key in _STRUCTURED:
                if key in attributes:
                    attributes[key] = json.loads(attributes[key])
            if not emitted(EVENT, attributes, context, generation.end_ns) and not self._has_advised:
                self._has_advised = True
                logger.warning(
                    "runspan: content is to go on log records, but the app has set no LoggerProvider, so they are not written. "
                    "Set one (`set_logger_provider` of OpenTelemetry), or use "
                    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY."
                )
