"""What is known of one thread's messages.

Knowledge only grows: a partial page never shortens what is known; only `messages.delete` takes something away.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from . import ids
from .lifecycle import RunState
from .model import EMPTY, Listing, Message, Observation
from .order import lean
from .recognition import recognised, says


class Begun(Struct, frozen=True, gc=False):
    """A run of this process on the thread: when it was asked for, and when it was first seen over."""

    request_ns: int
    ended_ns: int | None = None


class Settled(Struct, frozen=True, gc=False):
    """The oldest messages of a long thread. What is new is nearly always said of its end: these need no look then."""

    size: int = 0
    ids: frozenset[str] = frozenset()  # as the server gave them
    newest: int = 0  # stamp
    weight_bytes: int = 0

    def is_before(self, seen: Observation) -> bool:
        """Whether `seen` says nothing of them, and nothing that belongs between them."""
        listing = seen.listing or Listing(False, False, is_ordered=True)
        is_whole = listing.from_start or not listing.is_ordered
        if is_whole or any(_stamp(m) < self.newest for m in seen.messages):
            return False
        named = {seen.deleted_message_id, listing.follows, listing.precedes, *map(_id, seen.messages)}
        return self.ids.isdisjoint(named)


class Conversation(Struct, frozen=True, gc=False):
    """Messages of one thread in the thread's order. `whole_since_start`: none before the first is missing."""

    messages: tuple[Message, ...] = ()
    whole_since_start: bool = False
    read_to_end_ns: int | None = None  # request of the last unfiltered page that reached the thread's end
    # The run that wrote that page's oldest message; None: nobody, or nothing is older.
    read_back_to: str | None = None
    read_for_run: tuple[tuple[str, int], ...] = ()  # run id, request of a page filtered by that run
    data_source_ids: tuple[str, ...] = ()
    runs: Mapping[str, Begun] = EMPTY  # by id, the newest last
    weight_bytes: int = 0  # about what its texts hold; asked for far more often than they change
    settled: Settled = Settled()


_AT_THE_END = 64  # messages of which more is likely to be said
_MESSAGE_BYTES = 500  # of a message beside its texts
MAX_MESSAGES = 1_000  # of one thread; the oldest go first
_MAX_FILTERED = 16  # filtered reads remembered of one thread
_MAX_RUNS = 64  # remembered of one thread


def with_run(log: Conversation, state: RunState) -> Conversation:
    """`log` with what is known of the times of this run."""
    begun = Begun(state.request_ns, state.over_seen[1] if state.over_seen else None)
    if log.runs.get(state.key.run_id) == begun:
        return log
    older = [(id_, run) for id_, run in log.runs.items() if id_ != state.key.run_id]
    return replace(log, runs=dict([*older, (state.key.run_id, begun)][-_MAX_RUNS:]))


def record(log: Conversation, seen: Observation) -> Conversation:
    """`log` with what `seen` says of this thread."""
    settled = log.settled if log.settled.size and log.settled.is_before(seen) else Settled()
    before, known = log.messages[: settled.size], list(log.messages[settled.size :])
    seen = _of_its_run(log, seen)
    _name_sent(known, seen.messages)
    seen = replace(seen, messages=recognised(known, seen.messages, seen.listing, log.runs))
    seen = _oldest_first(log, known, seen)
    messages = _merge(known, seen.messages, seen.listing)
    if seen.deleted_message_id is not None:
        messages = [m for m in messages if m.id != seen.deleted_message_id]
    kept = (*before, *messages)
    many = max(0, len(kept) - MAX_MESSAGES)
    is_cut, gone, kept = many > 0, kept[:many], kept[many:]
    settled = _settled(settled, gone, kept)
    log = replace(
        log,
        messages=kept,
        weight_bytes=settled.weight_bytes + _weight(kept[settled.size :]),
        settled=settled,
        whole_since_start=(log.whole_since_start or seen.created_conversation) and not is_cut,
        data_source_ids=log.data_source_ids if seen.data_source_ids is None else seen.data_source_ids,
    )
    listing = seen.listing
    if listing is None:
        return log
    if listing.run_id is not None:
        if not (listing.to_end and listing.from_start):
            return log
        read = (*log.read_for_run, (listing.run_id, seen.request_ns))
        return replace(log, read_for_run=read[-_MAX_FILTERED:])
    whole = (log.whole_since_start or listing.from_start) and not is_cut
    log = replace(log, whole_since_start=whole)
    if not listing.to_end or seen.request_ns < (log.read_to_end_ns or 0):
        return log
    oldest = None if listing.from_start or not seen.messages else seen.messages[0].run_id
    return replace(log, read_to_end_ns=seen.request_ns, read_back_to=oldest)


def _settled(known: Settled, gone: Sequence[Message], kept: tuple[Message, ...]) -> Settled:
    """Made anew from time to time. Messages that wait for the ids of a page are not among them."""
    size = known.size - len(gone)
    if size >= 0 and len(kept) - size <= 2 * _AT_THE_END:
        return replace(known, size=size, weight_bytes=known.weight_bytes - _weight(gone)) if gone else known
    old = kept[:-_AT_THE_END]
    if any("/" in m.id for m in old):
        return Settled()
    return Settled(len(old), frozenset(map(_id, old)), max(map(_stamp, old), default=0), _weight(old))


def _weight(messages: Sequence[Message]) -> int:
    return _MESSAGE_BYTES * len(messages) + sum([len(p.text or "") for m in messages for p in m.parts])


def _id(message: Message) -> str:
    return ids.shown(message.id)


def _of_its_run(log: Conversation, seen: Observation) -> Observation:
    """A page of one run's messages is that run's, whatever they say; unless the server knows no such pages, and lists all."""
    run_id = seen.listing.run_id if seen.listing else None
    if run_id is None or any(m.role == "user" and m.run_id is None for m in seen.messages):
        return seen
    own = tuple(m if m.run_id in log.runs else replace(m, run_id=run_id) for m in seen.messages)
    return replace(seen, messages=own)


def _oldest_first(log: Conversation, known: list[Message], seen: Observation) -> Observation:
    """A page without telling stamps, turned round where what we know of its messages tells that it stands on its head."""
    page, listing = seen.messages, seen.listing
    if listing is None or listing.is_ordered or len(page) < 2:
        return seen
    position = {m.id: i for i, m in enumerate(known)}
    at = [position.get(m.id) for m in page]
    leaning = lean(_local_ns(log, m if i is None else known[i]) for m, i in zip(page, at, strict=True))
    leaning = leaning or lean(at)
    if not leaning and log.whole_since_start:  # nothing lies before the thread's first message
        leaning = -1 if at[-1] == 0 else 0
    if leaning >= 0:
        return seen
    turned = replace(
        listing,
        from_start=listing.to_end,
        to_end=listing.from_start,
        follows=listing.precedes,
        precedes=listing.follows,
    )
    return replace(seen, messages=page[::-1], listing=turned)


def _local_ns(log: Conversation, message: Message) -> int | None:
    """A moment on our clock before which this message was not there."""
    begun = log.runs.get(message.run_id or "")
    return message.sent_ns if begun is None else begun.request_ns


def _merge(known: list[Message], page: Sequence[Message], listing: Listing | None) -> list[Message]:
    """`known` and a page (in the thread's order) as one list, each message once.

    Stamps are whole seconds, so messages that both have fix the order, and the page's cursor does; else time, what is known first.
    """
    if not known:
        return list(page)
    position = {m.id: i for i, m in enumerate(known)}
    done = position.get(listing.follows or "", -1) + 1 if listing else 0  # of `known`
    merged = known[:done]
    new: list[Message] = []
    for message in page:
        at = position.get(message.id)
        if at is None:
            new.append(message)
        elif at >= done:
            merged += _in_time(known[done:at], new)
            merged.append(_better(known[at], message))
            new, done = [], at + 1
    end = max(position.get(listing.precedes or "", len(known)), done) if listing else len(known)
    return merged + _in_time(known[done:end], new) + known[end:]


def _in_time(known: list[Message], new: list[Message]) -> list[Message]:
    return list(heapq.merge(known, new, key=_stamp)) if known and new else known or new


def _name_sent(known: list[Message], page: Sequence[Message]) -> None:
    """Messages sent with `threads.create` have no ids of the server yet; give them those of the page."""
    unnamed = [i for i, m in enumerate(known) if "/" in m.id]
    if not unnamed:
        return
    ids = {m.id for m in known}
    for message in page:
        if message.id in ids:
            continue
        for at in unnamed:
            if _is_same(known[at], message):
                known[at] = replace(message, sent_ns=known[at].sent_ns)
                unnamed.remove(at)
                break


def _is_same(sent: Message, listed: Message) -> bool:
    is_stamped = sent.created_at is not None and listed.created_at is not None
    if is_stamped and abs(_stamp(sent) - _stamp(listed)) > 1:
        return False
    return (sent.role == listed.role and sent.parts == listed.parts) or says(sent) == says(listed)


def _stamp(message: Message) -> int:
    return message.created_at if message.created_at is not None else 2**62


def _better(known: Message, new: Message) -> Message:
    """The later word holds, but an unfinished one never replaces a finished one."""
    is_step_back = new.is_growing and known.outcome is not None
    newer = known if is_step_back or (known.parts and not new.parts) else new
    return replace(
        newer,
        sent_ns=known.sent_ns if known.sent_ns is not None else new.sent_ns,
        run_id=newer.run_id or known.run_id,
        created_at=known.created_at if newer.created_at is None else newer.created_at,
    )
