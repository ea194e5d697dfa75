"""A bounded mapping for any thread: the oldest entry goes first. No lock, and the same few steps whatever its size."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """About the last `size` keys that were put. A key that is put twice goes when its first turn comes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[K, V] = {}
        self._order: deque[K] = deque()  # append and popleft are one step each, beside other threads

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        self._order.append(key)
        if len(self._order) > self._size:
            self._values.pop(self._order.popleft(), None)

    def get(self, key: K) -> V | None:
        return self._values.get(key)

    def __len__(self) -> int:
        return len(self._values)
