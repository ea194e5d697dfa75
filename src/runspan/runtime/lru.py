"""A bounded mapping: the least recently used entry goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most `size` entries, and at most `max_weight` in the sum of `weigh(value)`."""

    def __init__(self, size: int, weigh: Callable[[V], int] | None = None, max_weight: int = 0) -> None:
        self._size = size
        self._weigh = weigh
        self._max_weight = max_weight
        self._weight = 0
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def peek(self, key: K) -> V | None:
        """Without counting as use; safe on any thread."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        self.pop(key)
        self._entries[key] = value
        if self._weigh is not None:
            self._weight += self._weigh(value)
        while len(self._entries) > self._size or (self._weight > self._max_weight and len(self._entries) > 1):
            self.pop(next(iter(self._entries)))

    def pop(self, key: K) -> V | None:
        value = self._entries.pop(key, None)
        if value is not None and self._weigh is not None:
            self._weight -= self._weigh(value)
        return value

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)
