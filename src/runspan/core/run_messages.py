"""Which messages of its thread a Run read, and which it wrote; texts that a stream told in pieces among these."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from msgspec.structs import replace

from . import ids
from .conversation import Conversation
from .lifecycle import RunState
from .model import Message, Outcome, Part
from .recognition import says


def inputs(log: Conversation, state: RunState) -> tuple[Message, ...]:
    """The messages that lay in the thread when the Run was created, in order, then its `additional_messages`."""
    run_id = state.key.run_id
    additional = state.request.additional_messages
    listed = [m for m in log.messages if m.run_id == run_id and m.role == "user"]
    before = [m for m, was_there in zip(log.messages, _were_there(log, state), strict=True) if was_there]
    if not additional or [says(m) for m in listed] == [says(m) for m in additional]:
        return (*before, *listed)
    texts = [says(m) for m in additional]
    for message in before[::-1]:  # some servers list them without the run's id
        is_sent_along = message.sent_ns is None and message.created_at == state.created_at
        if is_sent_along and says(message) in texts:
            texts.remove(says(message))
            before.remove(message)
    return (*before, *additional)


def outputs(log: Conversation, state: RunState) -> tuple[Message, ...]:
    """The messages that this Run wrote: those that say so, and those that its steps name. On a server that names no writer, the
    answers that came behind what the Run read.

    `additional_messages` carry its id too, but the user wrote those. One that has only begun holds nothing yet and is none.
    """
    run_id = state.key.run_id
    named = {step.message_id for step in state.steps.values() if step.message_id}
    own = [m for m in log.messages if m.role != "user" and (m.run_id == run_id or ids.shown(m.id) in named)]
    return tuple(m for m in own or _unowned(log, state) if m.parts or not m.is_growing)


def has_all_outputs(log: Conversation, state: RunState) -> bool:
    """Whether no message of this Run can be missing."""
    if state.over_seen is None:
        return False
    reads = [ns for run_id, ns in log.read_for_run if run_id == state.key.run_id]
    if log.read_back_to != state.key.run_id:  # else an older message of this run may be missing
        reads.append(log.read_to_end_ns or 0)
    return max(reads, default=0) >= state.over_seen[1] or _was_told_all(log, state)


def _was_told_all(log: Conversation, state: RunState) -> bool:
    """Whether its stream brought its messages. Its end alone proves nothing: some servers tell of no message, or of no text."""
    # One that began at the outputs of tools told a part.
    if not (state.over_streamed and state.request.stream):
        return False
    own = [m for m in log.messages if m.run_id == state.key.run_id and m.role != "user"]
    whole = {m.id for m in own if m.parts and not m.is_growing}
    named = {step.message_id for step in state.steps.values() if step.message_id}
    expects_some = state.run.outcome in (Outcome.COMPLETED, Outcome.INCOMPLETE)
    return len(whole) == len(own) and whole >= named | state.partial.keys() and bool(own or not expects_some)


def _unowned(log: Conversation, state: RunState) -> list[Message]:
    if not state.is_over:
        return []
    were_there = _were_there(log, state)
    behind = log.messages[max((i + 1 for i, was_there in enumerate(were_there) if was_there), default=0) :]
    return list(takewhile(lambda m: m.role != "user" and m.run_id is None and m.sent_ns is None, behind))


def _were_there(log: Conversation, state: RunState) -> list[bool]:
    """Of each message, whether it lay there before the Run. Stamps leave the Run's own second in doubt: there the order tells.

    What stands before a message that certainly was there was there, too; what stands behind one that certainly was not, was not.
    Between them are a user's messages, and what stands before those.
    """
    verdicts = [_was_there(message, log, state) for message in log.messages]
    first_after = verdicts.index(False) if False in verdicts else len(verdicts)
    certain = max((i for i, was_there in enumerate(verdicts) if was_there), default=-1)
    asked = (
        i
        for i, message in enumerate(log.messages[:first_after])
        if verdicts[i] is None and message.role == "user" and message.run_id is None
    )
    last = max(certain, max(asked, default=-1))
    return [i <= last if was_there is None else was_there for i, was_there in enumerate(verdicts)]


def _was_there(message: Message, log: Conversation, state: RunState) -> bool | None:
    """None: in doubt."""
    if message.run_id == state.key.run_id:
        return False
    if message.sent_ns is not None:
        return message.sent_ns <= state.request_ns
    writer = log.runs.get(message.run_id or "")
    if writer is not None and writer.request_ns > state.request_ns:
        return False
    if writer is not None and writer.ended_ns is not None and writer.ended_ns <= state.request_ns:
        return True
    if message.created_at is None or state.created_at is None or message.created_at == state.created_at:
        return None
    return message.created_at < state.created_at


# ---------------------------------------------------------------- texts in pieces


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
