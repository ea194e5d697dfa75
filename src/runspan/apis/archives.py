"""What an API is to `runspan.importing`: how its exported objects are recognised, and which calls would have brought them.

An imported run goes through the readers of the live path: each object becomes the answer of the call that gives it.
Nothing of an app's process loads this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from urllib.parse import quote

from msgspec import Struct, field

from ..core.fields import Wire, ident, mapping, stamp
from .api import Api


class Kind(str, Enum):
    """What an exported object is, whatever its API calls that."""

    AGENT = "agent"
    CONVERSATION = "conversation"
    MESSAGE = "message"  # of a conversation
    RUN = "run"
    STEP = "step"
    ALL_STEPS = "all_steps"  # no object: the steps of the run are all in the archive
    INPUTS = "inputs"  # of one run


class Archived(Struct, frozen=True):
    """One object of an archive. `place`: its conversation; of a run that names none, its own id."""

    kind: Kind
    wire: Wire
    id: str
    place: str = ""
    run_id: str = ""
    at: int | None = None  # server stamp, whole seconds
    is_final: bool = True  # a later look can't tell more
    is_answer: bool = False  # of a message: the model wrote it


class Unreadable(Struct, frozen=True):
    """An object, or a part of one, that can't be imported."""

    reason: str


class Remark(Struct, frozen=True):
    """What an archive says of itself: an object that it holds no more than the mention of. Empty: nothing is missing."""

    text: str = ""


Read = Archived | Unreadable | Remark


class When(str, Enum):
    """When a call of an imported run is taken to have been made."""

    BEFORE = "before"  # the run was created
    CREATED = "created"
    LAST = "last"  # at the last moment that the archive knows of the run
    AFTER = "after"  # it ended


class PastCall(Struct, frozen=True):
    """A call that would have brought what the archive holds."""

    when: When
    method: str
    path: str
    received: Wire
    sent: Wire = field(default_factory=dict)
    query: Wire = field(default_factory=dict)


class Past(Struct):
    """All that an archive holds of one run."""

    run: Wire
    run_id: str
    place: str
    steps: Sequence[Wire] = ()
    has_all_steps: bool = False
    messages: Sequence[Wire] = ()  # of its conversation, that no run before it was given; oldest first
    after: str | None = None  # id of the last message that a run before it was given
    inputs: Sequence[Wire] | None = None
    agent: Wire | None = None
    conversation: Wire | None = None


class Turn(Struct):
    """Answers in a conversation whose run is not in the archive."""

    run_id: str
    place: str
    began_at: int | None
    ended_at: int | None
    questions: Sequence[Wire] = ()
    answers: Sequence[Wire] = ()


class Archive(Struct, frozen=True):
    """One API's exported objects."""

    api: Api
    read: Callable[[Wire], Iterator[Read] | None]  # None: the object is not of this API
    calls: Callable[[Past], Iterator[PastCall]]
    turn: Callable[[Turn], Past]  # the run that the answers tell of
    agent_of: Callable[[Wire], str | None]  # id of the agent of a run
    stamps: Sequence[str]  # names of the fields that hold a moment in the past
    # (fields, name): whether a list of an object is objects of their own, and the fields before it tell whose they are
    may_cut: Callable[[Wire, str], bool] = lambda fields, name: False


def stamps_of(wire: Wire, names: Sequence[str]) -> list[int]:
    """Moments that an object tells of, unset ones left out."""
    found = (stamp(wire, name) for name in names if wire.get(name) is not None)
    return [at for at in found if at is not None]


def id_or_object(wire: Wire, key: str) -> tuple[str, Mapping[str, object]]:
    """What stands for an object: its id alone, or the object."""
    found = mapping(wire, key)
    return (ident(found) or ident(wire, key)), found


def conversation(wire: Wire, name: str) -> Read:
    """A conversation, which its API calls by that name."""
    id_ = ident(wire)
    if not id_:
        return Unreadable(f"a {name} without an id")
    return Archived(Kind.CONVERSATION, wire, id_, id_, at=stamp(wire, "created_at"))


def path_of(*words: str) -> str:
    """A path with ids in it, which may hold anything."""
    return "/" + "/".join(quote(word, safe="", errors="replace") for word in words)


def rows(value: object) -> list[Wire]:
    """The objects of a list, or of a page."""
    if isinstance(value, dict):
        value = value.get("data")
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
