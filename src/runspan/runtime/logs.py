"""What is known of conversations: those of live runs are held, those of past runs as far as memory allows. Worker's own."""

from __future__ import annotations

from collections import defaultdict
from operator import attrgetter

from msgspec.structs import replace

from ..core import conversation as threads
from ..core.conversation import Conversation
from ..core.lifecycle import RunState
from ..core.model import Observation, RunKey
from .lru import Lru

Place = tuple[str, str]  # server, conversation id

MAX_PAST = 2_000


def place_of(key: RunKey) -> Place:
    return key.server, key.conversation_id


class Logs:
    """`weight` is about how many bytes the logs of live runs hold."""

    def __init__(self, max_bytes: int, *, keeps_texts: bool) -> None:
        self._keeps_texts = keeps_texts
        self._held: dict[Place, Conversation] = {}
        self._past = Lru[Place, Conversation](MAX_PAST, attrgetter("weight_bytes"), max_bytes // 2)
        self._keys: dict[Place, set[RunKey]] = defaultdict(set)
        self.weight = 0

    def join(self, key: RunKey) -> None:
        """A run lives in its conversation from now on."""
        place = place_of(key)
        self._keys[place].add(key)
        if place not in self._held:
            self._hold(place, self._past.pop(place) or Conversation())

    def begin_anew(self, key: RunKey) -> None:
        """What is known of a past conversation of that name is of another one."""
        self._past.pop(place_of(key))

    def leave(self, key: RunKey) -> Conversation:
        """The run is gone; what was known of its conversation then."""
        place = place_of(key)
        keys = self._keys[place]
        keys.discard(key)
        if keys:
            return self._held[place]
        del self._keys[place]
        log = self._held.pop(place)
        self.weight -= log.weight_bytes
        self._past.put(place, log)
        return log

    def of(self, key: RunKey) -> Conversation:
        return self._held.get(place_of(key), Conversation())

    def keys_in(self, place: Place) -> set[RunKey]:
        """The live runs of a conversation."""
        return self._keys.get(place, set())

    def note_times(self, state: RunState) -> None:
        """Which messages another run of the conversation could read depends on them."""
        place = place_of(state.key)
        self._hold(place, threads.with_run(self._held[place], state))

    def record(self, place: Place, seen: Observation) -> None:
        """Take in what `seen` says of the conversation."""
        if not self._keeps_texts:
            if seen.data_source_ids is None:
                return
            seen = replace(seen, messages=(), listing=None)
        teaches = seen.messages or seen.listing or seen.created_conversation or seen.deleted_message_id
        if not teaches and seen.data_source_ids is None:
            return
        held = self._held.get(place)
        if held is not None:
            self._hold(place, threads.record(held, seen))
        else:
            self._past.put(place, threads.record(self._past.get(place) or Conversation(), seen))

    def _hold(self, place: Place, log: Conversation) -> None:
        known = self._held.get(place)
        self.weight += log.weight_bytes - (known.weight_bytes if known else 0)
        self._held[place] = log
