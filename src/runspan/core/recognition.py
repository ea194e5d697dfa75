"""Which known message each message of an answer is, on servers whose ids don't tell.

An id names a message where it stands once in the answer and once among the known ones. Where it is repeated or missing, who said
what names it; and so it does where an answer that would have to list a message lists it under another id.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from . import ids
from .model import EMPTY, Listing, Message
from .order import queues


def recognised(
    known: Sequence[Message],
    told: Sequence[Message],
    listing: Listing | None,
    own_runs: Mapping[str, Any] = EMPTY,
) -> tuple[Message, ...]:
    """`told` under the keys of those among `known` that they are, else under new ones. `own_runs`: by id, those of this process."""
    told = _each_once(told)
    if not known:
        keys: set[str] = set()
        return tuple(_under_new_key(message, keys) for message in told)
    search = _Search(known, told)
    found = [search.find(message, is_event=listing is None) for message in told]
    if listing is not None and listing.to_end and None in found:
        search.rename(found, told, listing)
    return tuple(
        _under_new_key(message, search.keys)
        if at is None
        else replace(message, id=known[at].id, run_id=_writer(known[at], message, own_runs))
        for at, message in zip(found, told, strict=True)
    )


def says(message: Message) -> Hashable:
    """Who said what."""
    return (message.role, *[p.text or p.type for p in message.parts])


def _each_once(told: Sequence[Message]) -> Sequence[Message]:
    """A page may list one message twice, under its id and with its words."""
    if len({m.id for m in told}) == len(told):
        return told
    once = {(m.id, says(m), m.created_at, m.run_id) if m.id else i: m for i, m in enumerate(told)}
    return list(once.values())


class _Search:
    def __init__(self, known: Sequence[Message], told: Sequence[Message]) -> None:
        self._known = known
        self.keys = {m.id for m in known}
        self._of_id = queues((ids.shown(m.id), i) for i, m in enumerate(known))
        self._counts = Counter(ids.shown(m.id) for m in told)
        self._taken: set[int] = set()
        self._saying: dict[Hashable, deque[int]] | None = None  # (id, says) -> indexes, where an id is vague

    def find(self, message: Message, *, is_event: bool) -> int | None:
        id_ = ids.shown(message.id)
        same = self._of_id.get(id_)
        if not same:
            return None
        if is_event and message.id != id_:  # a key that its stream gave it
            return self._take(next((i for i in same if self._known[i].id == message.id), None))
        if id_ and len(same) == 1 and self._counts[id_] == 1:
            return self._take(same[0] if _may_be(self._known[same[0]], message) else None)
        return self._take(self._by_words(id_, message))

    def _by_words(self, id_: str, message: Message) -> int | None:
        if self._saying is None:
            self._saying = defaultdict(deque)
            for i, m in enumerate(self._known):
                self._saying[ids.shown(m.id), says(m)].append(i)
                if m.parts and m.is_growing:
                    self._saying[ids.shown(m.id), (m.role,)].append(i)
        # The latter: one that has begun, with or without words.
        for words in (says(message), (message.role,)):
            indexes = self._saying.get((id_, words))
            while indexes and indexes[0] in self._taken:
                indexes.popleft()
            found = next((i for i in indexes or () if _may_be(self._known[i], message)), None)
            if found is not None and found not in self._taken:
                return found
        return None

    def _take(self, at: int | None) -> int | None:
        if at is None or at in self._taken:
            return None
        self._taken.add(at)
        return at

    def rename(self, found: list[int | None], told: Sequence[Message], listing: Listing) -> None:
        """Answers that the page covers and does not list by their ids, among those of it that nobody knows."""
        first = -1 if listing.from_start else min(self._taken, default=len(self._known))
        left = queues(
            (says(m), i)
            for i, m in enumerate(self._known)
            if i > first and i not in self._taken and m.run_id and m.parts and m.role != "user"
        )
        for n, message in enumerate(told):
            same = left.get(says(message)) if found[n] is None else None
            if same and _is_of_one_moment(self._known[same[0]], message):
                found[n] = self._take(same.popleft())


def _may_be(known: Message, told: Message) -> bool:
    """Not where both were sent, or two runs wrote two things."""
    is_other_writer = bool(known.run_id and told.run_id and known.run_id != told.run_id)
    is_sent_anew = None not in (known.sent_ns, told.sent_ns) and known.sent_ns != told.sent_ns
    is_same = says(known) == says(told)
    return known.role == told.role and not (is_sent_anew or (is_other_writer and not is_same))


def _is_of_one_moment(known: Message, told: Message) -> bool:
    return known.created_at is None or told.created_at is None or abs(known.created_at - told.created_at) <= 1


def _writer(known: Message, told: Message, own_runs: Mapping[str, Any]) -> str | None:
    """What came in the stream of a run of ours is of that run, whatever is said of it elsewhere."""
    return known.run_id if known.run_id in own_runs and told.run_id not in own_runs else told.run_id


def _under_new_key(message: Message, keys: set[str]) -> Message:
    key, n = message.id, len(keys)
    if key and key not in keys:
        keys.add(key)
        return message
    id_ = ids.shown(key)
    key = ids.within(id_, message.run_id or "")
    while key in keys:
        key = ids.numbered(id_, n + 1, message.run_id or "")
        n += 1
    keys.add(key)
    return replace(message, id=key)
