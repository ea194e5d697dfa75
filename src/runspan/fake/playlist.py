"""Which scenario comes next, for one of the server's APIs."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Generic, TypeVar

from runspan.fake.faults import refused
from runspan.fake.http import Request

T = TypeVar("T")
MAX_SCENARIOS = 10_000  # set per object; the oldest go


class Playlist(Generic[T]):
    """A scenario for each request that starts something. Its methods may be called from any thread.

    The order: the scenario named by the request's header `X-Fake-Scenario`, else the first of `play_next`,
    else that of an object the request names (`play_for`), else `scenario`.
    """

    def __init__(self, named: Mapping[str, T], first: T | str) -> None:
        self._named = named
        self._next: deque[T] = deque()
        self._by_id: OrderedDict[str, T] = OrderedDict()
        self._current = self.find(first)

    @property
    def scenario(self) -> T:
        return self._current

    @scenario.setter
    def scenario(self, which: T | str) -> None:
        self._current = self.find(which)

    def play_next(self, *scenarios: T | str) -> None:
        """One scenario for each of the next starts, in order."""
        self._next.extend(self.find(one) for one in scenarios)

    def play_for(self, id_: str, which: T | str) -> None:
        """A scenario for all starts that name this object."""
        self._by_id[id_] = self.find(which)
        if len(self._by_id) > MAX_SCENARIOS:
            self._by_id.popitem(last=False)

    def find(self, which: T | str) -> T:
        """A scenario by name, or itself. ValueError if there is none of that name."""
        if not isinstance(which, str):
            return which
        try:
            return self._named[which]
        except KeyError:
            raise ValueError(f"no scenario {which!r}; there are: {', '.join(self._named)}") from None

    def named_by(self, request: Request) -> T | None:
        """The one that the request's header asks for."""
        name = request.headers.get("x-fake-scenario")
        if name is not None and name not in self._named:
            raise refused(f"No scenario '{name}'.")
        return None if name is None else self._named[name]

    def choose(self, request: Request, *ids: str) -> T:
        """For something to be started that names these objects, the closest first."""
        asked = self.named_by(request)
        if asked is not None:
            return asked
        if self._next:
            return self._next.popleft()
        return next((self._by_id[id_] for id_ in ids if id_ in self._by_id), self._current)
