"""How large spans are when encoded, and the same span with shorter texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ..core.jsontext import fit_text

CUT_TO = "runspan.cut_to_chars"  # on a span that was too large whole
OVERHEAD = 256  # of one span besides its attributes: ids, times, tags of the encoding
SMALLEST = 32  # characters; a span that is too large even then is lost

Encoded = Callable[[Sequence[ReadableSpan]], int]


def encoded(spans: Sequence[ReadableSpan]) -> int:
    """Bytes of the request that the SDK makes of them."""
    size: int = encode_spans(spans).ByteSize()
    return size


def at_most(spans: Sequence[ReadableSpan]) -> int:
    """No less than `encoded(spans)`, and much cheaper: nothing is encoded."""
    resources = {id(span.resource): span.resource for span in spans}
    scopes = {id(scope): scope for span in spans if (scope := span.instrumentation_scope)}
    heads: list[Resource | InstrumentationScope] = [*resources.values(), *scopes.values()]
    names = sum(_value(scope.name) for scope in scopes.values())
    return sum(map(_span, spans)) + names + sum(OVERHEAD + _pairs(head.attributes) for head in heads)


def shrunk(span: ReadableSpan, max_bytes: int, size: Encoded) -> ReadableSpan | None:
    """The span with its texts cut, JSON inside so that it stays valid, until it fits; None: it never does."""
    max_chars = max(map(len, _texts(span)), default=0)
    while max_chars > SMALLEST:
        max_chars //= 2
        smaller = _cut(span, max_chars)
        if size([smaller]) <= max_bytes:
            return smaller
    return None


# ---------------------------------------------------------------- upper bounds


def _span(span: ReadableSpan) -> int:
    inner = [(event.name, event.attributes) for event in span.events]
    inner += [("", {**(link.attributes or {}), **link.context.trace_state}) for link in span.links]
    return (
        2 * OVERHEAD
        + _value(span.name)
        + _value(span.status.description or "")
        + _pairs(span.attributes)
        + _pairs(span.context.trace_state)
        + sum(OVERHEAD + _value(name) + _pairs(attributes) for name, attributes in inner)
    )


def _pairs(attributes: Mapping[str, Any] | None) -> int:
    total = 0
    for key, value in (attributes or {}).items():  # texts here and not by `_value`: nearly all are
        total += 4 * len(key) + 24
        if isinstance(value, str):
            total += len(value) if value.isascii() else len(value) * 4
        else:
            total += _value(value)
    return total


def _value(value: Any) -> int:
    if isinstance(value, str):
        return len(value) + 8 if value.isascii() else len(value) * 4 + 8
    if isinstance(value, bytes):
        return len(value) + 8
    if isinstance(value, Mapping):
        return _pairs(value) + 8
    return sum(map(_value, value)) + 8 if isinstance(value, Sequence) else 16


# ---------------------------------------------------------------- shorter texts


def _texts(span: ReadableSpan) -> Iterator[str]:
    for attributes in (span.attributes, *(event.attributes for event in span.events)):
        for value in (attributes or {}).values():
            yield from (
                item
                for item in (value if isinstance(value, tuple | list) else (value,))
                if isinstance(item, str)
            )
    yield span.status.description or ""


def _cut(span: ReadableSpan, max_chars: int) -> ReadableSpan:
    status = type(span.status)(span.status.status_code, _shorter(span.status.description, max_chars))
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={**_cut_all(span.attributes, max_chars), CUT_TO: max_chars},
        events=[Event(e.name, _cut_all(e.attributes, max_chars), e.timestamp) for e in span.events],
        links=span.links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _cut_all(attributes: Mapping[str, Any] | None, max_chars: int) -> dict[str, Any]:
    return {key: _shorter(value, max_chars) for key, value in (attributes or {}).items()}


def _shorter(value: Any, max_chars: int) -> Any:
    if isinstance(value, tuple | list):
        return [_shorter(item, max_chars) for item in value]
    return fit_text(value, max_chars) if isinstance(value, str) else value
