"""Keys of things whose ids servers misuse: repeat, leave out, change. A key begins with the id, if there is one.

What came in a run's own stream or page belongs to that run; two things stay two, one thing stays one.
"""

from __future__ import annotations

from collections.abc import Hashable

_MARK = "\0"


def numbered(id_: str, n: int, scope: str = "") -> str:
    """The key of the `n`-th thing (from 0) of this id; `scope` keeps those of several runs apart."""
    return id_ if id_ and not n else f"{id_}{_MARK}{scope}{_MARK}{n}"


def within(id_: str, scope: str) -> str:
    """The key of a thing whose id belongs to another thing elsewhere."""
    return f"{id_}{_MARK}{scope}"


def shown(key: str) -> str:
    """The id that the server gave, empty where it gave none."""
    return key.partition(_MARK)[0]


class Numbering:
    """Keys of things as they come: the second of an id is another thing."""

    def __init__(self, scope: str = "") -> None:
        self._scope = scope
        self._used: dict[str, int] = {}

    def key(self, id_: str) -> str:
        n = self._used.get(id_, 0)
        self._used[id_] = n + 1
        return numbered(id_, n, self._scope)


class StreamIds:
    """Which thing an event of a run's streams speaks of: messages or steps, in the order in which they are told.

    `created` begins a thing. An event under an unknown id speaks of the thing that is open: some servers make an id for each event.
    """

    def __init__(self, scope: str = "") -> None:
        self._numbering = Numbering(scope)
        self._open: dict[str, tuple[str, Hashable]] = {}  # key -> id, kind; the newest last
        self._ended: dict[str, tuple[str, Hashable]] = {}  # id -> key, content

    def key(
        self,
        id_: str,
        kind: Hashable = None,
        *,
        begins: bool = False,
        ends: bool = False,
        content: Hashable = None,
    ) -> str:
        key = None if begins else self._known(id_, kind, content if ends else None)
        if key is None:
            key = self._numbering.key(id_)
        if ends:
            self._open.pop(key, None)
            self._ended[id_] = key, content
        elif self._ended.get(id_, ("", None))[0] != key:
            self._open.setdefault(key, (id_, kind))
        return key

    def open_key(self, id_: str) -> str | None:
        """The thing that a piece under this id belongs to."""
        mine = (key for key, (of, _) in reversed(self._open.items()) if of == id_)
        return next(mine, None) or next(reversed(self._open), None)

    def _known(self, id_: str, kind: Hashable, content: Hashable) -> str | None:
        open_ = [(key, of) for key, (of, what) in reversed(self._open.items()) if what == kind]
        mine = next((key for key, of in open_ if of == id_), None)
        if mine is not None:
            return mine
        ended = self._ended.get(id_)
        if ended is not None and content in (None, ended[1]):
            return ended[0]
        return open_[0][0] if open_ else None  # else another thing, perhaps under an id that was used before
