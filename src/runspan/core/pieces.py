"""Texts that a stream told in pieces: of a message that never came whole they are all there is."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from .conversation import Conversation
from .lifecycle import RunState
from .model import Message, Outcome, Part
from .run_messages import outputs


def joined(known: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Texts in pieces of one stream after those of an earlier one, which it may repeat, or go on with."""
    texts = dict(known)
    for key, text in new.items():
        before = texts.get(key, "")
        texts[key] = text if text.startswith(before) else before + text
    return texts


def written(state: RunState, log: Conversation) -> tuple[Message, ...]:
    """The Run's messages, with texts in pieces where they have no better ones; then what of these belongs to no message."""
    left = dict(state.partial)
    whole = [_with_pieces(message, left.pop(message.id, "")) for message in outputs(log, state)]
    known = {message.id: message for message in log.messages}
    texts = [part.text for message in whole for part in message.parts if part.text]
    is_whole = state.run.outcome is Outcome.COMPLETED and (state.over_streamed or not state.is_cut)
    for key, text in left.items():
        begun = known.get(key)
        # A message may have come under another id than its pieces.
        if text and (begun is not None or not any(text in other for other in texts)):
            message = begun or Message(key, "assistant", run_id=state.key.run_id)
            outcome = None if is_whole else Outcome.INCOMPLETE  # cut with its stream
            whole.append(replace(message, parts=(Part("text", text),), is_growing=False, outcome=outcome))
    return tuple(whole)


def _with_pieces(message: Message, text: str) -> Message:
    """One that ended without its text, or had a part of it when it began."""
    said = "".join(part.text or "" for part in message.parts)
    if not text or text in said or (message.parts and not message.is_growing):
        return message
    others = tuple(part for part in message.parts if part.type != "text")
    whole = text if text.startswith(said) else said + text
    return replace(message, parts=(*others, Part("text", whole)))
