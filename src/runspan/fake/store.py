"""What the server remembers: the API's own JSON objects, bounded so that nothing grows with uptime."""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from runspan.fake.faults import ApiError, HttpError, missing

if TYPE_CHECKING:
    from runspan.fake.responses.run import ResponseRun
    from runspan.fake.responses.scenarios import Scenario
    from runspan.fake.run import Run

Object: TypeAlias = dict[str, Any]
T = TypeVar("T")


class Shelf(OrderedDict[str, T], Generic[T]):
    """Things by id in order of creation; beyond `limit` the oldest goes."""

    def __init__(self, kind: str, limit: int) -> None:
        super().__init__()
        self.kind, self.limit = kind, limit

    def put(self, id_: str, thing: T) -> T:
        self[id_] = thing
        if len(self) > self.limit:
            self.popitem(last=False)
        return thing

    def find(self, id_: str) -> T:
        try:
            return self[id_]
        except KeyError:
            raise missing(self.kind, id_) from None


@dataclass(slots=True)
class Thread:
    body: Object
    messages: Shelf[Object] = field(default_factory=lambda: Shelf("message", 10_000))
    runs: Shelf[Run] = field(default_factory=lambda: Shelf("run", 1_000))
    active: Run | None = None  # at most one run of a thread is alive


@dataclass(slots=True)
class File:
    body: Object
    content: bytes


@dataclass(slots=True)
class VectorStore:
    body: Object
    files: Shelf[Object] = field(default_factory=lambda: Shelf("file", 10_000))
    batches: Shelf[Object] = field(default_factory=lambda: Shelf("file batch", 1_000))


@dataclass(slots=True)
class Conversation:
    body: Object
    items: Shelf[Object] = field(default_factory=lambda: Shelf("item", 10_000))
    active: ResponseRun | None = None  # at most one response of a conversation is alive


class State:
    """All objects of one server. `seed` makes its ids repeat from one server to the next."""

    def __init__(self, *, max_threads: int, seed: int | None) -> None:
        self.assistants: Shelf[Object] = Shelf("assistant", max_threads)
        self.threads: Shelf[Thread] = Shelf("thread", max_threads)
        self.files: Shelf[File] = Shelf("file", 1_000)
        self.vector_stores: Shelf[VectorStore] = Shelf("vector store", 1_000)
        self.responses: Shelf[ResponseRun] = Shelf("response", 10 * max_threads)
        self.conversations: Shelf[Conversation] = Shelf("conversation", max_threads)
        self.items: Shelf[Object] = Shelf("item", 10 * max_threads)  # of responses, for references to them
        self.awaited: Shelf[Scenario] = Shelf("call", 10 * max_threads)  # by call id: what its answer starts
        self._random = random.Random(seed)  # noqa: S311  (ids, not secrets)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{self._random.getrandbits(96):024x}"


def page(items: list[Object], query: dict[str, list[str]], *, limit: int = 20) -> Object:
    """One page of `items` (given in order of creation), as the API pages: newest first unless order=asc."""
    first = {name: values[-1] for name, values in query.items()}
    if first.get("order", "desc") not in ("asc", "desc"):
        raise ApiError(HttpError(400, f"Invalid 'order': '{first['order']}'.", param="order"))
    count = first.get("limit", str(limit))
    if not count.isdecimal() or not 1 <= int(count) <= max(100, limit):
        raise ApiError(HttpError(400, f"Invalid 'limit': '{count}'.", param="limit"))
    ordered = items if first.get("order") == "asc" else items[::-1]
    places = {item["id"]: place for place, item in enumerate(ordered)}
    start, end = 0, len(ordered)
    for name in ("after", "before"):
        if name in first and first[name] not in places:
            raise ApiError(HttpError(400, f"Invalid '{name}': no object '{first[name]}'.", param=name))
    if "after" in first:
        start = places[first["after"]] + 1
    if "before" in first:
        end = places[first["before"]]
        start = max(start, end - int(count))  # the page that lies directly before the cursor
    data = ordered[start : min(end, start + int(count))]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start > 0 if "before" in first and "after" not in first else start + len(data) < end,
    }
