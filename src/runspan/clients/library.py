"""What the rest of runspan asks a client library about a call that is about to be made: one `Library` for each of them.

`client` is the object whose method is wrapped, `request` the argument in which the library says what it sends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from ..apis.api import Api, Match
from ..core.model import Server
from ..runtime.records import BackgroundClient, Call

Found = tuple[Api, Match]

OURS = "X-Runspan"  # a header that marks our own GETs
FETCH = "fetch"


class Library(ABC):
    """One library. All methods run on the app's thread, under a guard."""

    place: int  # of the request among the positional arguments of the wrapped method
    name: str  # of the same argument, given by name

    @abstractmethod
    def match(self, client: Any, request: Any) -> Found | None:
        """Whose call it is; None: it belongs to no API that is traced."""

    @abstractmethod
    def server(self, client: Any, request: Any, /) -> Server: ...

    @abstractmethod
    def header(self, request: Any, name: str, /) -> str | None: ...

    @abstractmethod
    def query(self, request: Any, /) -> Mapping[str, Any] | None:
        """Parameters of the URL; None: there are none."""

    @abstractmethod
    def sent(self, request: Any, /) -> Any:
        """The body as a value; None: there is none."""

    @abstractmethod
    def dumped(self, request: Any, sent: Any) -> bytes | None:
        """The body as JSON, as of now: the app may change its objects once the call is over."""

    @abstractmethod
    def field(self, request: Any, name: str, /) -> Any:
        """One field of the body."""

    @abstractmethod
    def with_metadata(self, request: Any, key: str, line: Callable[[], str], most: int, /) -> Any:
        """A copy of the request whose body has one key of metadata more; None: there is no room, and `line` was not called.

        `most`: keys that the API takes.
        """

    @abstractmethod
    def via(self, call: Call, client: Any, request: Any, *, is_async: bool) -> BackgroundClient:
        """How the worker may ask this client's server later."""

    @abstractmethod
    def note_secrets(self, client: Any, request: Any = None, error: BaseException | None = None) -> None:
        """Tell the redactor what is secret in what the client holds, and in a `request` that was sent, or raised `error`.

        Guarded itself.
        """

    @abstractmethod
    def signs(self, client: Any) -> tuple[Any, ...]:
        """What changes when another tracer takes hold of this client. The first one is what stands on the client itself."""


def with_key(metadata: Any, key: str, line: Callable[[], str], most: int) -> dict[str, Any] | None:
    """`metadata` of a body with one key more (or another value of it); None: it is of another type, or full."""
    if metadata is None:
        return {key: line()}
    if not isinstance(metadata, Mapping) or (key not in metadata and len(metadata) >= most):
        return None
    return {**metadata, key: line()}
