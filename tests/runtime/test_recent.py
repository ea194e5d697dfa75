"""A bounded mapping for any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from runspan.runtime.recent import Recent


@settings(max_examples=200)
@given(st.lists(st.integers(0, 20)), st.integers(1, 8))
def test_what_is_left_was_put_lately(keys: list[int], size: int) -> None:
    recent = Recent[int, int](size)
    for n, key in enumerate(keys):
        recent.put(key, n)
        assert recent.get(key) == n or key in keys[max(0, n - size) : n]  # an earlier turn may just have come
        assert len(recent) <= size
    last = [key for key in keys[-size:] if keys.count(key) == 1]
    assert all(recent.get(key) is not None for key in last)


def test_nothing_walks_through_the_table() -> None:
    class Table(dict[int, int]):
        def __iter__(self) -> Iterator[int]:
            raise AssertionError

    recent = Recent[int, int](10)
    recent._values = Table()
    for key in range(100):
        recent.put(key, key)
    assert [key for key in range(100) if recent.get(key) is not None] == list(range(90, 100))


def test_many_threads_at_once() -> None:
    recent = Recent[tuple[int, int], int](50)

    def work(thread: int) -> None:
        for n in range(2_000):
            recent.put((thread, n), n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recent) <= 50
