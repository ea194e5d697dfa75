"""How much of a thread and of a message goes out. What is cut shows it, and says how long it was.

Texts are held to `max_text_chars` one by one before (`redact`), attributes and spans to their limits afterwards (`conventions`).
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from . import transcript
from .jsontext import fit_text
from .model import Message, Part, ToolCall
from .redact import Texts, cut


class Limits(Struct, frozen=True, gc=False):
    """Of one Run."""

    max_input_messages: int = 100
    max_input_chars: int = 65_536
    max_message_chars: int = 65_536  # texts of one message together, with its tool calls or their results


DEFAULT = Limits()


def newest(messages: tuple[Message, ...], limits: Limits, texts: Texts) -> tuple[Message, ...]:
    """The newest messages within the limits, at least one."""
    count, chars = 0, 0
    for message in reversed(messages[-limits.max_input_messages :]):
        in_message = sum(min(len(p.text or ""), texts.max_chars) for p in message.parts)
        chars += min(in_message, limits.max_message_chars)
        if count and chars > limits.max_input_chars:
            break
        count += 1
    return messages[len(messages) - count :]


def message(whole: Message, limits: Limits) -> Message:
    """`whole` with its texts cut, from the first on: what comes when nothing is left is its mark alone."""
    size = sum(map(_size, whole.parts))
    if size <= limits.max_message_chars:
        return whole
    parts = _cut_each(whole.parts, limits.max_message_chars)
    return replace(whole, parts=parts, original_length=size)


def _cut_each(parts: tuple[Part, ...], left: int) -> tuple[Part, ...]:
    kept: list[Part] = []
    for part in parts:
        kept.append(_cut(part, max(left, 1)))
        left -= _size(kept[-1])
    return tuple(kept)


def _size(part: Part) -> int:
    call = part.call
    if call is None:
        return len(part.text or "")
    if part.type in (transcript.CALL, transcript.SERVER_CALL):
        return len(call.arguments or "")
    return len(call.output or "") + sum(len(output.text or "") for output in call.outputs)


def _cut(part: Part, max_chars: int) -> Part:
    if part.call is not None:
        return replace(part, call=_cut_call(part.call, max_chars))
    if part.text is None or len(part.text) <= max_chars:
        return part
    fields = {"original_length": len(part.text), **part.fields}
    return replace(part, text=cut(part.text, max_chars), fields=fields)


def _cut_call(call: ToolCall, max_chars: int) -> ToolCall:
    texts = (("arguments", call.arguments or ""), ("output", call.output or ""))
    long = {name: len(text) for name, text in texts if len(text) > max_chars}
    return replace(
        call,
        arguments=call.arguments and fit_text(call.arguments, max_chars),
        output=call.output and fit_text(call.output, max_chars),
        outputs=_cut_each(call.outputs, max_chars),
        original_length={**long, **call.original_length},
    )
