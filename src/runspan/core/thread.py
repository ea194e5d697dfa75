"""What is known of one thread's messages, and which of them a Run read and wrote.

Knowledge only grows: a partial page never shortens what is known; only `messages.delete` takes something away.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .lifecycle import RunState
from .model import Message, Observation


@dataclass(frozen=True, slots=True)
class ThreadLog:
    """Messages of one thread in the thread's order. `whole_since_start`: none before the first is missing."""

    messages: tuple[Message, ...] = ()
    whole_since_start: bool = False
    read_to_end_ns: int | None = None  # request of the last unfiltered page that reached the thread's end
    read_for_run: tuple[tuple[str, int], ...] = ()  # run id, request of a page filtered by that run


MAX_MESSAGES = 1_000  # of one thread; the oldest go first
_MAX_FILTERED = 16  # filtered reads remembered of one thread


def record(log: ThreadLog, seen: Observation) -> ThreadLog:
    """`log` with what `seen` says of this thread."""
    messages = list(log.messages)
    _merge(messages, seen.messages)
    if seen.deleted_message_id is not None:
        messages = [m for m in messages if m.id != seen.deleted_message_id]
    is_cut = len(messages) > MAX_MESSAGES
    log = replace(
        log,
        messages=tuple(messages[-MAX_MESSAGES:]),
        whole_since_start=(log.whole_since_start or seen.created_thread) and not is_cut,
    )
    listing = seen.listing
    if listing is None:
        return log
    if listing.run_id is not None:
        if not listing.to_end:
            return log
        read = (*log.read_for_run, (listing.run_id, seen.request_ns))
        return replace(log, read_for_run=read[-_MAX_FILTERED:])
    whole = (log.whole_since_start or listing.from_start) and not is_cut
    read_ns = max(log.read_to_end_ns or 0, seen.request_ns) if listing.to_end else log.read_to_end_ns
    return replace(log, whole_since_start=whole, read_to_end_ns=read_ns)


def _merge(known: list[Message], page: Sequence[Message]) -> None:
    """Put a page (in the thread's order) into `known`.

    Stamps are whole seconds, so where the page and what is known share a message, that neighbour tells the place.
    """
    _name_sent(known, page)
    position = {m.id: i for i, m in enumerate(known)}
    at = next((position[m.id] - 1 for m in page if m.id in position), None)
    inserted = 0
    for message in page:
        if message.id in position:
            at = position[message.id] + inserted
            known[at] = _better(known[at], message)
        else:
            at = _by_time(known, message) if at is None else at + 1
            known.insert(at, message)
            inserted += 1


def _name_sent(known: list[Message], page: Sequence[Message]) -> None:
    """Messages sent with `threads.create` have no ids of the server yet; give them those of the page."""
    unnamed = [i for i, m in enumerate(known) if "/" in m.id]
    if not unnamed:
        return
    ids = {m.id for m in known}
    for message in page:
        at = next((i for i in unnamed if message.id not in ids and _is_same(known[i], message)), None)
        if at is not None:
            known[at] = replace(message, sent_ns=known[at].sent_ns)
            unnamed.remove(at)


def _is_same(sent: Message, listed: Message) -> bool:
    return _texts(sent) == _texts(listed) and abs(_stamp(sent) - _stamp(listed)) <= 1


def _by_time(known: Sequence[Message], message: Message) -> int:
    return bisect_right(known, _stamp(message), key=_stamp)


def _stamp(message: Message) -> int:
    return message.created_at if message.created_at is not None else 2**62


def _better(known: Message, new: Message) -> Message:
    """The later word holds, but an unfinished one never replaces a finished one."""
    is_step_back = new.status == "in_progress" and known.status in ("completed", "incomplete")
    newer = known if is_step_back or (known.parts and not new.parts) else new
    return replace(newer, sent_ns=known.sent_ns if known.sent_ns is not None else new.sent_ns)


def outputs(log: ThreadLog, run_id: str) -> tuple[Message, ...]:
    """The messages that this Run wrote. `additional_messages` carry its id too, but the user wrote those."""
    return tuple(m for m in log.messages if m.run_id == run_id and m.role != "user")


def inputs(log: ThreadLog, state: RunState) -> tuple[Message, ...]:
    """The messages that lay in the thread when the Run was created, in order, then its `additional_messages`."""
    run_id = state.key.run_id
    additional = state.request.additional_messages
    listed: list[Message] = []
    before: list[Message] = []
    for message in log.messages:
        if message.run_id == run_id:
            if message.role == "user":
                listed.append(message)
        elif _lay_before(message, state):
            before.append(message)
    tail = before[-len(additional) :] if additional else []
    if [_texts(m) for m in listed] == [_texts(m) for m in additional] or not additional:
        return (*before, *listed)
    if [_texts(m) for m in tail] == [_texts(m) for m in additional]:  # listed without the run's id
        return tuple(before)
    return (*before, *additional)


def _texts(message: Message) -> tuple[str, ...]:
    return (message.role, *(p.text or p.type for p in message.parts))


def _lay_before(message: Message, state: RunState) -> bool:
    """A thread takes no message while a Run works on it, so only the Run's second itself is in doubt."""
    if message.sent_ns is not None:
        return message.sent_ns <= state.request_ns
    if message.created_at is None or state.created_at is None:
        return True
    return message.created_at <= state.created_at


def has_all_outputs(log: ThreadLog, state: RunState) -> bool:
    """Whether no message of this Run can be missing."""
    if state.over_seen is None:
        return False
    if state.over_streamed:
        return True
    over_ns = state.over_seen[0]
    reads = [ns for run_id, ns in log.read_for_run if run_id == state.key.run_id]
    return max([*reads, log.read_to_end_ns or 0]) >= over_ns


def has_all_inputs(log: ThreadLog) -> bool:
    """Whether the thread is known from its beginning."""
    return log.whole_since_start
