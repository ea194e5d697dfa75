from __future__ import annotations

from runspan.runtime.lru import Lru


def test_the_least_recently_used_goes_first() -> None:
    lru: Lru[str, int] = Lru(2)
    lru.put("a", 1)
    lru.put("b", 2)
    assert lru.get("a") == 1
    lru.put("c", 3)
    assert ("a" in lru, "b" in lru, "c" in lru, len(lru)) == (True, False, True, 2)


def test_a_peek_is_no_use_and_a_second_put_is() -> None:
    lru: Lru[str, int] = Lru(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3)):
        lru.put(key, value)
    assert lru.peek("b") == 2
    lru.put("c", 4)
    assert (lru.peek("a"), lru.peek("b")) == (3, None)


def test_what_is_not_there() -> None:
    lru: Lru[str, int] = Lru(1)
    assert (lru.get("x"), lru.peek("x"), lru.pop("x")) == (None, None, None)
    lru.put("x", 1)
    assert (lru.pop("x"), len(lru)) == (1, 0)


def test_it_never_holds_more_than_its_size() -> None:
    lru: Lru[int, int] = Lru(100)
    for i in range(10_000):
        lru.put(i, i)
    assert len(lru) == 100
