"""What a viewer knows of telemetry: plain frozen values, in OTLP's words (opentelemetry-proto 1.x).

Ids are lower-case hex (32 digits a trace, 16 a span), times are nanoseconds since 1970 with 0 for "absent",
enum values are their names without prefix (`CLIENT`, `ERROR`). Attribute values are plain Python: str, bool,
int, float, bytes, None, lists and dicts of these. Nothing here knows the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = None | str | bool | int | float | bytes | list["Value"] | dict[str, "Value"]
Attributes = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at one moment of a span, such as an exception or a change of status."""

    name: str
    time_ns: int = 0
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A pointer from a span to one in another place, often in another trace."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span as it was received."""

    trace_id: str
    span_id: str
    name: str = ""
    parent_id: str | None = None  # None for a root
    kind: str = "INTERNAL"  # UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER
    start_ns: int = 0
    end_ns: int = 0
    attributes: Attributes = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    status_code: str = "UNSET"  # UNSET, OK, ERROR
    status_message: str = ""
    resource: Attributes = field(default_factory=dict)
    scope: str = ""
    scope_version: str = ""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record or event. Its ids are None outside of any span."""

    time_ns: int
    severity: str  # the sender's text, such as "WARN"
    event_name: str
    body: Value
    attributes: Attributes
    trace_id: str | None
    span_id: str | None
    resource: Attributes
    scope: str
