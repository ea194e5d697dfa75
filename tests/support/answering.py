"""A receiver that gives one answer to whatever is posted to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.listening import Handler, listening


@dataclass
class Answering:
    """`paths`: of what was asked, as they came."""

    endpoint: str = ""
    paths: list[str] = field(default_factory=list)


@contextmanager
def answering(
    status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Iterator[Answering]:
    seen = Answering()

    class Always(Handler):
        def do_POST(self) -> None:
            self.body()
            seen.paths.append(self.path)
            self.answer(status, body, **(headers or {}))

        do_GET = do_POST  # noqa: N815

    with listening(Always) as seen.endpoint:
        yield seen
